import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newBox, newSite, somebody, startHarness } from '../harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const audit = async (query = '', as: Parameters<Harness['ask']>[3] = 'acme') =>
  (await h.ask('GET', `/audit${query}`, undefined, as)).body.items
const actor = { kind: 'key', id: 'k', name: 'test' }

test('a change is in the log with who, what, when and its fields, before its answer is out', async () => {
  const site = await newSite(h, 'berlin')
  const at = h.clock.now()
  expect(await audit()).toEqual([
    { seq: 1, at, actor, action: 'site.create', target: { id: site, name: 'berlin' }, detail: expect.objectContaining({ name: 'berlin' }) },
  ])
  const host = (await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'] })).body.id
  await h.ask('PATCH', `/hosts/${host}`, { tags: { role: 'db' } })
  await h.ask('POST', `/hosts/${host}/intent`, { kind: 'local-disk' })
  await h.ask('DELETE', `/hosts/${host}`)
  await h.ask('DELETE', '/sites/berlin')
  const entries = await audit('?limit=5')
  expect(entries.map((entry: { action: string; target: unknown }) => [entry.action, entry.target])).toEqual([
    ['site.delete', { id: site, name: 'berlin' }],
    ['host.delete', { id: host, name: 'n1' }],
    ['host.intent.set', { id: host, name: 'n1' }],
    ['host.change', { id: host, name: 'n1' }],
    ['host.create', { id: host, name: 'n1' }],
  ])
  expect(entries[3].detail).toEqual({ tags: { role: 'db' } })
  expect(entries[2].detail).toEqual({ kind: 'local-disk', id: expect.any(String) })
})

test('what was refused or only read is not in it', async () => {
  await newSite(h, 'berlin')
  await h.ask('POST', '/sites', { name: 'berlin' })
  await h.ask('POST', '/sites', { name: 'Not A Name' })
  await h.ask('DELETE', '/sites/paris')
  await h.ask('DELETE', '/sites/berlin', undefined, somebody('acme', ['sites:read']))
  await h.ask('DELETE', '/sites/berlin', undefined, null)
  await h.ask('DELETE', '/sites/berlin', undefined, 'evil')
  await h.ask('GET', '/sites/berlin/state')
  expect(await audit()).toHaveLength(1)
})

test('a token is in no entry; what lies below a thing is told by its id', async () => {
  await newSite(h, 'berlin')
  const { id, config } = (await h.ask('POST', '/sites/berlin/tokens', {})).body
  await h.ask('DELETE', `/sites/berlin/tokens/${id}`)
  const [revoked, made] = await audit()
  expect([made.action, made.target.name, made.detail]).toEqual(['site.token.create', 'berlin', { id }])
  expect([revoked.action, revoked.target.name, revoked.detail]).toEqual(['site.token.delete', 'berlin', { token: id }])
  expect(JSON.stringify(await h.db.selectFrom('audit').selectAll().execute())).not.toContain(config.token)
})

test('a box that enrols is its own witness; one that must wait is not', async () => {
  const site = await newSite(h, 'berlin')
  const { token } = (await h.ask('POST', '/sites/berlin/tokens', {})).body.config
  await h.ask('POST', '/enrol', await newBox('box-1').request(token), null)
  await h.ask('POST', '/enrol', await newBox('box-2').request(token), null)
  const [last, before] = await audit()
  expect(last).toMatchObject({
    action: 'site.box.enrol',
    actor: { kind: 'appliance', id: site, name: 'box-1' },
    target: { id: site, name: 'berlin' },
  })
  expect(before.action).toBe('site.token.create')
  expect(JSON.stringify(last)).not.toContain(token)
})

test('it is read by whoever may do everything, of the own organisation alone, page by page', async () => {
  for (const name of ['a', 'b', 'c']) await newSite(h, name)
  await newSite(h, 'theirs', 'evil')
  const names = (items: { target: { name: string } }[]) => items.map((one) => one.target.name)
  expect(names(await audit('?limit=2'))).toEqual(['c', 'b'])
  expect(names(await audit('?limit=2&before=2'))).toEqual(['a'])
  expect(names(await audit('', 'evil'))).toEqual(['theirs'])
  const [{ target }] = await audit('?limit=1')
  expect(names(await audit(`?target=${target.id}`))).toEqual(['c'])
  expect(names(await audit('?action=site&actor=k&limit=1'))).toEqual(['c'])
  for (const query of ['?action=host', '?action=sit', '?action=site.create.more', '?actor=somebody', '?target=x'])
    expect([query, await audit(query)]).toEqual([query, []])
  expect((await h.ask('GET', '/audit', undefined, somebody('acme', ['sites:write']))).status).toBe(403)
  for (const query of ['?limit=0', '?limit=501', '?before=x', '?page=2', '?action=%25', '?action=a_b'])
    expect([query, (await h.ask('GET', `/audit${query}`)).status]).toEqual([query, 400])
})

test('a change that cannot be written down is answered with an error', async () => {
  await h.db.schema.dropTable('audit').execute()
  expect((await h.ask('POST', '/sites', { name: 'berlin' })).status).toBe(500)
  expect((await h.ask('GET', '/sites')).status).toBe(200)
})
