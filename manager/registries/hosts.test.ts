import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newSite, startHarness } from '../harness.ts'
import { mergeFacts } from './facts.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
  await newSite(h, 'berlin', 'acme', { tags: { region: 'eu', rack: 'r1' } })
  await newSite(h, 'boston', 'acme', { tags: { region: 'us' } })
})
afterEach(() => h.close())

const add = async (site: string, name: string, number: number, more = {}) => {
  const made = await h.ask('POST', '/hosts', { site, name, macs: [`52:54:00:00:00:0${number}`], ...more })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return made.body.id as string
}
const names = async (selector: string) =>
  (await h.ask('GET', `/hosts?selector=${encodeURIComponent(selector)}`)).body.items.map((host: { name: string }) => host.name).sort()

test('hosts are picked by their own tags, their site’s, and their site', async () => {
  await add('berlin', 'a', 1, { tags: { role: 'db' } })
  await add('berlin', 'b', 2, { tags: { role: 'web', region: 'edge' } })
  await add('boston', 'c', 3, { tags: { role: 'db', site: 'lies' } })
  expect(await names('')).toEqual(['a', 'b', 'c'])
  expect(await names('role=db')).toEqual(['a', 'c'])
  expect(await names('region=eu')).toEqual(['a']) // b overrides the site's
  expect(await names('region=edge,rack')).toEqual(['b'])
  expect(await names('site=boston')).toEqual(['c']) // nobody can lie about the site
  expect(await names('role in (db,web),!rack')).toEqual(['c'])
})

test('a host is registered before it is seen, and its MAC may be written in any way', async () => {
  const made = await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52-54-00-AB-CD-EF'], ip: '192.168.1.50' })
  expect(made.body).toMatchObject({ macs: ['52:54:00:ab:cd:ef'], approved: true, status: 'approved', ip: '192.168.1.50' })
})

test('MACs, names and addresses are of one host per site; other sites do not matter', async () => {
  await add('berlin', 'a', 1, { ip: '192.168.1.50' })
  const same = async (site: string, name: string, number: number, more = {}) =>
    (await h.ask('POST', '/hosts', { site, name, macs: [`52:54:00:00:00:0${number}`], ...more })).body.code
  expect(await same('berlin', 'b', 1)).toBe('mac-taken')
  expect(await same('berlin', 'a', 2)).toBe('name-taken')
  expect(await same('berlin', 'b', 2, { ip: '192.168.1.50' })).toBe('address-taken')
  expect(await same('berlin', 'b', 2, { ip: '192.168.1.2' })).toBe('invalid') // the appliance's own
  expect(await same('boston', 'a', 1, { ip: '192.168.1.50' })).toBeUndefined()
  expect((await h.ask('GET', '/hosts?site=berlin')).body.items).toHaveLength(1) // nothing half-made
})

test('approval and retirement change the status; null takes away', async () => {
  const id = await add('berlin', 'a', 1, { approved: false, ip: '192.168.1.50' })
  const patch = async (body: object) => (await h.ask('PATCH', `/hosts/${id}`, body)).body
  expect((await patch({ tags: { a: '1' } })).status).toBe('discovered')
  expect((await patch({ approved: true })).status).toBe('approved')
  await h.ask('POST', `/hosts/${id}/intent`, { kind: 'local-disk' })
  const retired = await patch({ retired: true, ip: null })
  expect([retired.status, retired.ip, retired.intent]).toEqual(['retired', undefined, undefined])
  expect((await patch({ retired: false })).status).toBe('approved')
  expect((await patch({ revision: 1, name: 'x' })).code).toBe('revision-stale')
})

test('an install needs an approved host and a profile', async () => {
  const id = await add('berlin', 'a', 1, { approved: false })
  const wish = async (body: object) => (await h.ask('POST', `/hosts/${id}/intent`, body)).body
  expect((await wish({ kind: 'install' })).detail).toContain('not approved')
  await h.ask('PATCH', `/hosts/${id}`, { approved: true })
  expect((await wish({ kind: 'install' })).detail).toContain('has no profile')
  expect((await wish({ kind: 'install', profile: 'nope' })).code).toBe('reference-unknown')
  expect((await wish({ kind: 'explode' })).errors[0].field).toBe('kind')
  expect((await wish({ kind: 'wipe' })).errors[0].message).toContain('expected "install" or "local-disk"')
  expect(await wish({ kind: 'local-disk' })).toMatchObject({ kind: 'local-disk', state: 'pending', attempts: 0 })
  expect((await h.ask('DELETE', `/hosts/${id}/intent`)).status).toBe(204)
  expect((await h.ask('GET', `/hosts/${id}`)).body.intent).toBeUndefined()
})

test('explain says what the site would answer, and why', async () => {
  const ref = (name: string) => ({ sha256: name.repeat(64).slice(0, 64), bytes: 1, name })
  const loaders = { 'undionly.kpxe': { ...ref('c'), name: 'undionly.kpxe' } }
  const own = await startHarness({ loaders })
  await newSite(own, 'berlin')
  await own.ask('POST', '/profiles', { name: 'debian', targets: { x86_64: { kernel: ref('a'), initrd: ref('b'), cmdline: 'quiet' } } })
  const id = (await own.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'], profile: 'debian' })).body.id
  const explain = async (query = '?platform=bios-x86') => (await own.ask('GET', `/hosts/${id}/explain${query}`)).body
  expect(await explain()).toMatchObject({
    platform: 'bios-x86',
    firmware: { step: { kind: 'loader', name: 'undionly.kpxe' } },
    script: { goal: { kind: 'local-disk' }, reasons: expect.arrayContaining(['"n1" has no intent']) },
  })
  await own.ask('POST', `/hosts/${id}/intent`, { kind: 'install' })
  const install = await explain()
  expect(install.script.goal.kind).toBe('install')
  expect(install.script.text).toContain('kernel http://192.168.1.2/artifacts/')
  expect(install.script.text).toContain('bridgehead.token=<token>')
  expect((await explain('?platform=toaster')).errors[0].field).toBe('query.platform')

  const seen = '01a20000-0000-7000-8000-00000000000a'
  const site = (await own.ask('GET', '/sites/berlin')).body.id
  await own.manager.ingest(site, [own.fact('host.discovered', { facts: { macs: ['52:54:00:00:00:09' as never] } }, seen)])
  const unknown = async () => (await own.ask('GET', `/hosts/${seen}/explain?platform=bios-x86`)).body
  expect((await unknown()).script.goal.kind).toBe('local-disk')
  await own.ask('POST', '/rules', { name: 'all of them', profile: 'debian' })
  expect(await unknown()).toMatchObject({ rule: { name: 'all of them' }, script: { goal: { kind: 'install' } } })
  await own.close()
})

test('SSH keys are checked, reach the sites that they are for, and leave again', async () => {
  const publicKey = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32)]).toString('base64')} ada@example`
  const made = await h.ask('POST', '/keys', { name: 'ada', publicKey: `${publicKey}`, sites: 'region=eu' })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const keys = async (site: string) => (await h.ask('GET', `/sites/${site}/state`)).body.state.keys
  expect(await keys('berlin')).toEqual([{ name: 'ada', publicKey }])
  expect(await keys('boston')).toEqual([])
  expect((await h.ask('DELETE', `/keys/${made.body.id}`)).status).toBe(204)
  expect(await keys('berlin')).toEqual([])
})

test('newer facts win, unknown ones change nothing, MACs add up', () => {
  const old = mergeFacts({}, { macs: ['52:54:00:00:00:02' as never], vendor: 'QEMU', platform: 'bios-x86' })
  expect(mergeFacts(old, { macs: ['52:54:00:00:00:01' as never], vendor: 'Dell', platform: 'unknown' })).toEqual({
    macs: ['52:54:00:00:00:01', '52:54:00:00:00:02'],
    vendor: 'Dell',
    platform: 'bios-x86',
  })
})
