import { type PublicKey, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newBox, newSite, startHarness } from '../harness.ts'

let h: Harness
let site: string
beforeEach(async () => {
  h = await startHarness()
  site = await newSite(h, 'berlin')
  await settle()
})
afterEach(() => h.close())

const settle = async () => void (await h.ask('GET', '/sites/berlin/state'))
const published = async (): Promise<SiteState> => {
  const { d: _, ...key } = h.signingKey
  return (await verifyDocument('state', h.bus.states.get(site)?.jws ?? '', [key as PublicKey])) as SiteState
}
const revision = () => h.bus.states.get(site)?.revision

test('a new site has state 1, signed, under the debounce of its change', async () => {
  expect(await published()).toMatchObject({ site, name: 'berlin', revision: 1, hosts: [] })
  await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'] })
  await h.ask('POST', '/hosts', { site: 'berlin', name: 'n2', macs: ['52:54:00:00:00:02'] })
  expect(revision()).toBe(1)
  h.clock.advance(50)
  await settle()
  expect(await published()).toMatchObject({ revision: 2, hosts: [{ name: 'n1' }, { name: 'n2' }] })
})

test('the revision rises only when the content changed', async () => {
  await h.ask('PATCH', '/sites/berlin', { tags: {} })
  await settle()
  expect(revision()).toBe(1)
  await h.ask('POST', '/rules', { name: 'elsewhere', sites: 'site=paris' })
  await settle()
  expect(revision()).toBe(1)
  await h.ask('POST', '/rules', { name: 'here', sites: 'site in (berlin,paris)' })
  await settle()
  expect((await published()).rules.map((rule) => rule.name)).toEqual(['here'])
})

test('profiles and their scripts come in when used, in their newest version', async () => {
  const ref = (name: string) => ({ sha256: name.repeat(64).slice(0, 64), bytes: 1, name })
  const targets = { x86_64: { kernel: ref('a'), initrd: ref('b') } }
  const script = (await h.ask('POST', '/scripts', { name: 'post', kind: 'bash', text: 'echo 1' })).body.id
  const profile = (await h.ask('POST', '/profiles', { name: 'debian', targets, postInstall: 'post' })).body.id
  await settle()
  expect((await published()).profiles).toEqual([])
  const host = (await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'], profile: 'debian' })).body
  expect(host.profile).toBe(profile)
  await h.ask('PUT', `/scripts/${script}`, { name: 'post', kind: 'bash', text: 'echo 2' })
  await settle()
  expect(await published()).toMatchObject({
    profiles: [{ id: profile, version: 1, postInstall: script }],
    scripts: [{ id: script, version: 2, text: 'echo 2' }],
  })
  expect((await h.ask('DELETE', `/scripts/${script}`)).body.code).toBe('in-use')
  expect((await h.ask('GET', `/scripts/${script}?version=1`)).body.text).toBe('echo 1')
})

test('while Redis is away changes are compiled, and published when it is back', async () => {
  h.bus.away = true
  await h.ask('PATCH', '/sites/berlin', { tags: { a: 'b' } })
  await settle()
  expect(revision()).toBe(1)
  h.bus.away = false
  h.clock.advance(5_000)
  await settle()
  expect(revision()).toBe(2)
})

test('a wiped Redis gets users, states and open orders again', async () => {
  const token = (await h.ask('POST', '/sites/berlin/tokens', {})).body.config.token
  await h.ask('POST', '/enrol', await newBox().request(token), null)
  await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'] })
  await h.ask('POST', '/runs', { text: 'true', selector: '' })
  await h.manager.services[1]?.start() // the order is out
  await settle()
  const before = { users: [...h.bus.users], states: [...h.bus.states], sent: [...h.bus.sent] }
  expect(before.sent).toHaveLength(1)
  h.bus.wipe()
  await h.manager.restore()
  expect({ users: [...h.bus.users], states: [...h.bus.states], sent: h.bus.sent }).toEqual(before)
  expect(h.bus.watched).toEqual(new Set([site]))
})

test('a crash between change and compile loses nothing: the next start compiles', async () => {
  await h.db.transaction().execute(async (tx) => {
    await tx.updateTable('sites').set({ tags: '{"crashed":"yes"}' }).where('id', '=', site).execute()
    await tx
      .updateTable('site_states')
      .set((eb) => ({ wanted: eb('wanted', '+', 1) }))
      .execute()
  })
  const next = await startHarness({ db: h.db })
  expect([...next.bus.states.values()].map((state) => state.revision)).toEqual([2])
})

test('a deleted site leaves nothing behind', async () => {
  const token = (await h.ask('POST', '/sites/berlin/tokens', {})).body.config.token
  await h.ask('POST', '/enrol', await newBox().request(token), null)
  expect((await h.ask('DELETE', '/sites/berlin')).status).toBe(204)
  expect([h.bus.users.size, h.bus.states.size, h.bus.watched.size, h.peers().length]).toEqual([0, 0, 0, 0])
  expect((await h.ask('POST', '/enrol', await newBox().request(token), null)).body.code).toBe('token-unknown')
  expect((await h.ask('POST', '/sites', { name: 'berlin' })).status).toBe(201)
  const subnets = await h.db.selectFrom('sites').select('subnet').execute()
  expect(subnets).toEqual([{ subnet: 2 }]) // never an address that another site had
})
