import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newSite, startHarness } from '../harness.ts'

let h: Harness
let site: string
beforeEach(async () => {
  h = await startHarness()
  site = await newSite(h, 'berlin')
})
afterEach(() => h.close())

const HOST = '01a20000-0000-7000-8000-00000000000a'
const MAC = '52:54:00:00:00:01'
const discovered = (macs = [MAC], host = HOST) =>
  h.fact('host.discovered', { facts: { macs: macs as never, product: 'KVM', platform: 'bios-x86' }, lan: 'lan' }, host)
const count = async () =>
  Number(
    (
      await h.db
        .selectFrom('events')
        .select((eb) => eb.fn.countAll().as('n'))
        .executeTakeFirstOrThrow()
    ).n,
  )

test('an event that comes many times is stored and acted on once', async () => {
  const run = await newRun()
  const facts = [discovered(), h.fact('run.output', { run, seq: 0, stream: 'stdout', text: 'once\n' })]
  for (let time = 0; time < 5; time++) await h.manager.ingest(site, [...facts, ...facts])
  expect(await count()).toBe(2)
  expect((await h.ask('GET', `/hosts/${HOST}`)).body).toMatchObject({ status: 'discovered', approved: false, revision: 1 })
})

test('a thousand events through a bus that dies at random, before or after the commit, arrive exactly once', async () => {
  const queue = Array.from({ length: 1000 }, (_, seq) =>
    h.fact('dhcp.lease', { mac: MAC as never, ip: `10.0.${seq >> 8}.${seq & 255}` as never, lan: 'lan', until: seq }),
  )
  let seed = 1
  const chance = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  let at = 0
  while (at < queue.length) {
    const batch = queue.slice(at, at + 1 + Math.floor(chance() * 40))
    const ingest = chance() < 0.2 ? dying(h) : h.manager.ingest // the process dies inside the transaction
    const taken = await ingest(site, batch).then(
      () => true,
      () => false,
    )
    if (taken && chance() > 0.3) at += batch.length // else: it died before the bus heard of the commit; all comes again
  }
  expect(await count()).toBe(1000)
  expect(await h.db.selectFrom('leases').selectAll().execute()).toHaveLength(1000)
})

test('one that cannot be acted on is kept with its error and holds up none', async () => {
  await h.db.schema.dropTable('leases').execute()
  const lease = h.fact('dhcp.lease', { mac: MAC as never, ip: '10.0.0.1' as never, lan: 'lan', until: 1 })
  await h.manager.ingest(site, [lease, discovered()])
  const rows = await h.db.selectFrom('events').select(['kind', 'error']).orderBy('seq').execute()
  expect(rows).toEqual([
    { kind: 'dhcp.lease', error: expect.stringContaining('leases') },
    { kind: 'host.discovered', error: null },
  ])
  expect((await h.ask('GET', `/hosts/${HOST}`)).status).toBe(200)
})

test('what cannot be read is kept aside, what is newer than this manager is stored', async () => {
  const good = discovered()
  await h.manager.ingest(site, [
    { event: 'not json' },
    { event: '{"id":1}' },
    good,
    { event: JSON.stringify({ id: HOST, at: 1, kind: 'from.future', data: { x: 1 } }) },
  ])
  expect(await h.db.selectFrom('refused_events').select('text').execute()).toEqual([{ text: 'not json' }, { text: '{"id":1}' }])
  expect((await h.db.selectFrom('events').select(['kind', 'data']).orderBy('seq').execute()).map((row) => [row.kind, row.data])).toEqual([
    ['host.discovered', expect.any(String)],
    ['from.future', '{"x":1}'],
  ])
})

test('a machine that was registered here keeps its name; the site speaks of it by its own id', async () => {
  const mine = (await h.ask('POST', '/hosts', { site: 'berlin', name: 'db1', macs: [MAC], tags: { role: 'db' } })).body.id
  await h.manager.ingest(site, [discovered(), h.fact('host.status', { status: 'installing' }, HOST)])
  const { items } = (await h.ask('GET', '/hosts')).body
  expect(items).toMatchObject([{ id: mine, name: 'db1', status: 'installing', facts: { product: 'KVM' }, lan: 'lan' }])
  const { events } = (await h.ask('GET', `/hosts/${mine}/timeline`)).body
  expect(events.map((event: { kind: string }) => event.kind)).toEqual(['host.discovered', 'host.status'])
})

test('the same machine at two sites with equal subnets is two hosts', async () => {
  const paris = await newSite(h, 'paris')
  const there = '01a20000-0000-7000-8000-00000000000b'
  await h.manager.ingest(site, [discovered()])
  await h.manager.ingest(paris, [discovered([MAC], there)])
  await h.manager.ingest(paris, [h.fact('host.status', { status: 'failed', why: 'no disk' }, there)])
  const { items } = (await h.ask('GET', '/hosts')).body
  expect(items.map((host: { siteName: string; status: string }) => [host.siteName, host.status]).sort()).toEqual([
    ['berlin', 'discovered'],
    ['paris', 'failed'],
  ])
})

test('a rule at the site approves a machine: tags, name, profile and the install that it began', async () => {
  const intent = '01a20000-0000-7000-8000-0000000000ff'
  await h.manager.ingest(site, [
    discovered(),
    h.fact('host.approved', { rule: 'r1', tags: { role: 'node' }, profile: 'p1', name: 'node-1', intent }, HOST),
    h.fact('intent.started', { intent, kind: 'install', profile: 'p1', attempt: 1 }, HOST),
  ])
  expect((await h.ask('GET', `/hosts/${HOST}`)).body).toMatchObject({
    name: 'node-1',
    approved: true,
    status: 'approved',
    tags: { role: 'node' },
    rule: 'r1',
    intent: { id: intent, kind: 'install', state: 'started', attempts: 1 },
  })
  const state = await compiled()
  expect(state.hosts).toMatchObject([{ id: HOST, name: 'node-1', approved: true, intent: { id: intent, kind: 'install', profile: 'p1' } }])
  await h.manager.ingest(site, [h.fact('intent.done', { intent, kind: 'install' }, HOST), h.fact('host.status', { status: 'ready' }, HOST)])
  expect((await compiled()).hosts[0].intent).toBeUndefined()
  const host = (await h.ask('GET', `/hosts/${HOST}`)).body
  expect([host.status, host.intent]).toEqual(['ready', undefined])
})

test('a wish that was replaced meanwhile is not cleared by the older one', async () => {
  await h.manager.ingest(site, [discovered()])
  await h.ask('PATCH', `/hosts/${HOST}`, { approved: true })
  const old = (await h.ask('POST', `/hosts/${HOST}/intent`, { kind: 'local-disk' })).body.id
  const next = (await h.ask('POST', `/hosts/${HOST}/intent`, { kind: 'local-disk' })).body.id
  await h.manager.ingest(site, [h.fact('intent.done', { intent: old, kind: 'local-disk' }, HOST)])
  expect((await h.ask('GET', `/hosts/${HOST}`)).body.intent.id).toBe(next)
  await h.manager.ingest(site, [h.fact('intent.failed', { intent: next, kind: 'local-disk', why: 'no image' }, HOST)])
  expect((await h.ask('GET', `/hosts/${HOST}`)).body.intent).toMatchObject({ state: 'failed', why: 'no image' })
})

test('a phone-home and leases tell where a host is reached', async () => {
  await h.manager.ingest(site, [
    discovered(),
    h.fact('dhcp.lease', { mac: MAC as never, ip: '192.168.1.50' as never, lan: 'lan', until: 5 }, HOST),
    h.fact('host.phone-home', { ip: '192.168.1.51' as never, hostKeys: ['ssh-ed25519 AAAA'] }, HOST),
    h.fact('dhcp.release', { mac: MAC as never, ip: '192.168.1.50' as never, lan: 'lan', why: 'released' }, HOST),
  ])
  expect((await h.ask('GET', `/hosts/${HOST}`)).body).toMatchObject({ address: '192.168.1.51', hostKeys: ['ssh-ed25519 AAAA'] })
  expect(await h.db.selectFrom('leases').selectAll().execute()).toEqual([])
})

test("facts of a deleted site, or of one that tells of another's host, change nothing", async () => {
  await h.manager.ingest(site, [discovered()])
  const paris = await newSite(h, 'paris')
  await h.manager.ingest(paris, [
    h.fact('host.status', { status: 'failed' }, HOST),
    h.fact('host.phone-home', { ip: '10.0.0.1' as never, hostKeys: [] }, HOST),
  ])
  expect((await h.ask('GET', `/hosts/${HOST}`)).body.status).toBe('discovered')
  await h.ask('DELETE', '/sites/paris')
  const before = await count()
  await h.manager.ingest(paris, [discovered()])
  expect(await count()).toBe(before)
})

test('two unnamed machines of one name get different ones', async () => {
  await h.manager.ingest(site, [
    discovered(['52:54:00:aa:bb:cc']),
    discovered(['52:54:01:aa:bb:cc'], '01a20000-0000-7000-8000-00000000000b'),
  ])
  const { items } = (await h.ask('GET', '/hosts')).body
  expect(items.map((host: { name: string }) => host.name).sort()).toEqual(['host-aabbcc', 'host-aabbcc-2'])
})

async function compiled() {
  return (await h.ask('GET', '/sites/berlin/state')).body.state
}
async function newRun(): Promise<string> {
  await h.ask('POST', '/hosts', { site: 'berlin', name: 'other', macs: ['52:54:00:99:99:99'] })
  return (await h.ask('POST', '/runs', { text: 'true', selector: '' })).body.hosts[0].id
}
/** Ingest whose transaction never commits. */
function dying(harness: Harness): Harness['manager']['ingest'] {
  return async (target, batch) => {
    await harness.db
      .transaction()
      .execute(async (tx) => {
        const [first] = batch
        await tx
          .insertInto('events')
          .values({
            organisation: 'acme',
            site: target,
            id: JSON.parse(first?.event ?? '{}').id,
            at: 0,
            received_at: 0,
            kind: 'x',
            host: null,
            boot: null,
            data: '{}',
            error: null,
          })
          .onConflict((on) => on.columns(['site', 'id']).doNothing())
          .execute()
        throw new Error('killed')
      })
      .catch((error: Error) => expect(error.message).toBe('killed'))
    throw new Error('killed')
  }
}

test('a machine that was only seen is not in the state, so that rules of its site may still decide', async () => {
  await h.manager.ingest(site, [discovered()])
  expect((await compiled()).hosts).toEqual([])
  await h.ask('PATCH', `/hosts/${HOST}`, { tags: { seen: 'yes' } })
  expect((await compiled()).hosts).toMatchObject([{ id: HOST, approved: false, tags: { seen: 'yes' } }])
})

test('a machine that was forgotten here comes back with its next facts', async () => {
  await h.manager.ingest(site, [discovered()])
  expect((await h.ask('DELETE', `/hosts/${HOST}`)).status).toBe(204)
  await h.manager.ingest(site, [h.fact('host.facts', { facts: { macs: [MAC as never], serial: 'S1' } }, HOST)])
  expect((await h.ask('GET', `/hosts/${HOST}`)).body).toMatchObject({ macs: [MAC], serial: 'S1', status: 'discovered' })
})
