import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newSite, startHarness } from '../harness.ts'

const HAVE = 'a'.repeat(64)
const LOST = 'b'.repeat(64)
const ref = (sha256: string, bytes = 10) => ({ sha256, bytes, name: 'vmlinuz' })
const profile = (kernel: object, more = {}) => ({ name: 'debian', targets: { x86_64: { kernel, initrd: ref(HAVE) } }, ...more })

let h: Harness
beforeEach(async () => {
  h = await startHarness({ engines: { artifactBytes: async (sha256) => (sha256 === HAVE ? 10 : undefined) } })
})
afterEach(() => h.close())

test.each([
  { what: 'an artifact that nobody has', body: profile(ref(LOST)), field: 'targets.x86_64.kernel.sha256' },
  { what: 'a size that is not the artifact’s', body: profile(ref(HAVE, 11)), field: 'targets.x86_64.kernel.bytes' },
  { what: 'no target', body: profile(ref(HAVE), { targets: {} }), field: 'targets' },
  { what: 'an unknown script', body: profile(ref(HAVE), { postInstall: 'nope' }), field: 'postInstall' },
  { what: 'a script of another kind', body: profile(ref(HAVE), { ipxe: 'sh' }), field: 'ipxe' },
  { what: 'a variable of strange name', body: profile(ref(HAVE), { vars: { 'a-b': '1' } }), field: 'vars.a-b' },
  { what: 'a key inside an artifact that is not known', body: profile({ ...ref(HAVE), url: 'x' }), field: 'targets.x86_64.kernel.url' },
])('a profile with $what is refused at $field', async ({ body, field }) => {
  await h.ask('POST', '/scripts', { name: 'sh', kind: 'bash', text: 'true' })
  const refused = await h.ask('POST', '/profiles', body)
  expect([400, 422]).toContain(refused.status)
  expect(refused.body.errors.map((error: { field: string }) => error.field)).toContain(field)
  expect((await h.ask('GET', '/profiles')).body.items).toEqual([])
})

test('a profile that a host or a rule names stays; a new version changes what they get', async () => {
  await newSite(h, 'berlin')
  const { id } = (await h.ask('POST', '/profiles', profile(ref(HAVE)))).body
  const host = (await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'], profile: 'debian' })).body.id
  const rule = (await h.ask('POST', '/rules', { name: 'all', profile: 'debian' })).body.id
  expect((await h.ask('DELETE', '/profiles/debian')).body).toMatchObject({
    code: 'in-use',
    detail: expect.stringContaining('host "n1", rule "all"'),
  })
  await h.ask('PUT', '/profiles/debian', profile(ref(HAVE), { vars: { DISK: 'sda' } }))
  expect((await h.ask('GET', '/sites/berlin/state')).body.state.profiles).toMatchObject([{ id, version: 2, vars: { DISK: 'sda' } }])
  expect((await h.ask('GET', '/profiles/debian/versions')).body.items.map((one: { version: number }) => one.version)).toEqual([2, 1])
  expect((await h.ask('GET', '/profiles/debian?version=1')).body).toMatchObject({ id, version: 1, vars: {} })
  expect((await h.ask('GET', '/profiles/debian')).body).toMatchObject({ id, version: 2, vars: { DISK: 'sda' } })
  expect((await h.ask('GET', '/profiles/debian?version=3')).status).toBe(404)
  await h.ask('DELETE', `/rules/${rule}`)
  await h.ask('PATCH', `/hosts/${host}`, { profile: null })
  expect((await h.ask('DELETE', '/profiles/debian')).status).toBe(204)
})

test.each([
  { one: 'profile', path: '/profiles', body: profile(ref(HAVE)) },
  { one: 'script', path: '/scripts', body: { name: 'debian', kind: 'bash', text: 'true' } },
])('a $one that says which version it was made from is refused when there is a newer one', async ({ path, body }) => {
  const { id } = (await h.ask('POST', path, body)).body
  const put = async (more: object) => await h.ask('PUT', `${path}/${id}`, { ...body, ...more })
  expect((await put({ version: 1 })).body.version).toBe(2)
  expect((await put({ version: 1 })).body).toMatchObject({ status: 409, code: 'revision-stale' })
  expect((await put({})).body.version).toBe(3)
  expect((await h.ask('GET', `${path}/${id}/versions`)).body.items).toHaveLength(3)
})

test('a preview renders what a machine would get, and says where it cannot', async () => {
  await h.ask('POST', '/scripts', { name: 'seed', kind: 'preseed', text: 'd-i netcfg/get_hostname string {{ host.name }}\n' })
  const render = async (variables: object) => (await h.ask('POST', '/scripts/seed/render', { variables })).body
  expect(await render({ host: { name: 'n1' } })).toEqual({ text: 'd-i netcfg/get_hostname string n1\n' })
  expect(await render({})).toMatchObject({
    code: 'does-not-render',
    status: 422,
    errors: [{ field: 'text', expected: expect.stringContaining('line 1') }],
  })
})
