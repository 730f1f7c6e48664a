import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PROBLEMS } from '../engines/http/problem.ts'
import { type Harness, newSite, somebody, startHarness } from '../harness.ts'
import { document } from './app.ts'

let h: Harness
beforeAll(async () => {
  h = await startHarness()
  await newSite(h, 'taken')
})
afterAll(() => h.close())

const lan = (name: string, subnet: string, address: string, more = {}) => ({ name, subnet, address, ...more })

for (const { what, method = 'POST', path, body, field, message } of [
  { what: 'an unknown field', path: '/sites', body: { name: 'a', colour: 'red' }, field: 'colour', message: 'not known' },
  { what: 'a missing field', path: '/sites', body: {}, field: 'name', message: 'expected string' },
  { what: 'a name of wrong form', path: '/sites', body: { name: 'Büro' }, field: 'name', message: 'lower-case letters' },
  {
    what: 'an overlapping subnet',
    path: '/sites',
    body: { name: 'a', lans: [lan('x', '10.0.0.0/16', '10.0.0.1'), lan('y', '10.0.5.0/24', '10.0.5.1')] },
    field: 'lans[1].subnet',
    message: 'overlaps lan "x" (10.0.0.0/16)',
  },
  {
    what: 'a subnet with host bits',
    path: '/sites',
    body: { name: 'a', lans: [lan('x', '10.0.0.5/24', '10.0.0.1')] },
    field: 'lans[0].subnet',
    message: 'without host bits',
  },
  {
    what: 'an address outside its LAN',
    path: '/sites',
    body: { name: 'a', lans: [lan('x', '10.0.0.0/24', '10.0.1.1')] },
    field: 'lans[0].address',
    message: 'outside lan "x"',
  },
  {
    what: 'an unknown field deep inside',
    path: '/sites',
    body: { name: 'a', lans: [lan('x', '10.0.0.0/24', '10.0.0.1', { vlan: 5 })] },
    field: 'lans[0].vlan',
    message: 'not known',
  },
  { what: 'a bad tag', path: '/sites', body: { name: 'a', tags: { 'ö!': 'x' } }, field: 'tags.ö!', message: '' },
  { what: 'a bad selector', method: 'GET', path: '/hosts?selector=a%3D(b', field: 'query.selector', message: 'parenthes' },
  { what: 'an unknown query parameter', method: 'GET', path: '/hosts?color=red', field: 'query.color', message: 'not known' },
  { what: 'a bad MAC', path: '/hosts', body: { site: 'taken', name: 'a', macs: ['zz'] }, field: 'macs[0]', message: '52:54:00:12:34:56' },
  {
    what: 'a host on no site',
    path: '/hosts',
    body: { site: 'nowhere', name: 'a', macs: ['52:54:00:00:00:09'] },
    field: 'site',
    message: 'no site',
  },
  {
    what: 'an address that the site does not have',
    path: '/hosts',
    body: { site: 'taken', name: 'a', macs: ['52:54:00:00:00:09'], ip: '10.9.9.9' },
    field: 'ip',
    message: 'lies in no lan',
  },
  { what: 'neither script nor text', path: '/runs', body: { selector: '' }, field: 'script', message: 'either script or text' },
  { what: 'both selector and hosts', path: '/runs', body: { text: 'id', selector: '', hosts: [] }, field: 'hosts', message: '' },
  {
    what: 'a key that is none',
    path: '/keys',
    body: { name: 'k', publicKey: 'ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQAB' },
    field: 'publicKey',
    message: 'does not hold a key',
  },
  {
    what: 'a template that does not parse',
    path: '/scripts',
    body: { name: 's', kind: 'bash', text: 'echo\n  {% if x %}' },
    field: 'text',
    message: 'line 2, column 3',
  },
] as { what: string; method?: string; path: string; body?: object; field: string; message: string }[])
  test(`${what} is refused with the field named: ${field}`, async () => {
    const { status, body: problem, headers } = await h.ask(method, path, body)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(problem).toMatchObject({
      status,
      type: `urn:bridgehead:problem:${problem.code}`,
      title: expect.any(String),
      detail: expect.any(String),
    })
    expect([400, 422]).toContain(status)
    const named = problem.errors.find((error: { field: string }) => error.field === field)
    expect(named, JSON.stringify(problem.errors)).toBeDefined()
    expect(named.message).toContain(message)
  })

async function raw(init: RequestInit): Promise<[number, string]> {
  await h.ask('GET', '/whoami') // sets who asks
  const answer = await h.manager.app.request('/api/v1/sites', { method: 'POST', ...init })
  return [answer.status, ((await answer.json()) as { code: string }).code]
}

test('bodies that are no JSON, say so', async () => {
  const headers = { 'content-type': 'application/json' }
  expect(await raw({ headers, body: '{"name":' })).toEqual([400, 'malformed-json'])
  expect(await raw({ headers, body: '' })).toEqual([400, 'malformed-json'])
  expect(await raw({ headers, body: '[]' })).toEqual([400, 'invalid'])
  expect(await raw({ headers, body: 'null' })).toEqual([400, 'invalid'])
  expect(await raw({ headers: { 'content-type': 'text/plain' }, body: '{}' })).toEqual([415, 'content-type'])
  expect(await raw({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'name=a' })).toEqual([415, 'content-type'])
  expect(await raw({ headers: { 'content-type': 'application/merge-patch+json' }, body: '{"name":"merged"}' })).toEqual([201, undefined])
  expect(await raw({ headers, body: JSON.stringify({ name: 'x'.repeat(1_100_000) }) })).toEqual([413, 'too-large'])
  expect(await raw({})).toEqual([400, 'invalid'])
})

test('what is too large says where and by how much: the script at its field, the whole body as such, also when nobody told its length', async () => {
  const script = (characters: number) => ({ name: 'large', kind: 'bash', text: 'x'.repeat(characters) })
  expect((await h.ask('POST', '/scripts', script(262_145))).body.errors).toEqual([
    { field: 'text', message: '262,145 characters are too many; expected at most 262,144 (fetch what is larger by URL)' },
  ])
  expect((await h.ask('POST', '/runs', { selector: '', text: 'x'.repeat(262_145) })).body.errors[0].field).toBe('text')
  const body = [{ field: 'body', message: 'expected at most 1 MiB (1,048,576 bytes)' }]
  expect((await h.ask('POST', '/scripts', script(1_100_000))).body).toMatchObject({ status: 413, errors: body })
  const chunked = new Blob([JSON.stringify(script(1_100_000))]).stream()
  const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers, body: chunked, duplex: 'half' }
  expect(await (await h.manager.app.request('/api/v1/scripts', init)).json()).toMatchObject({ status: 413, errors: body })
})

test('a name that is taken, and a change to what somebody else changed, are conflicts', async () => {
  expect((await h.ask('POST', '/sites', { name: 'taken' })).body.code).toBe('name-taken')
  expect((await h.ask('PATCH', '/sites/taken', { revision: 7, tags: {} })).body).toMatchObject({ status: 409, code: 'revision-stale' })
  expect((await h.ask('PATCH', '/sites/taken', { revision: 1, tags: { a: 'b' } })).body).toMatchObject({ revision: 2, tags: { a: 'b' } })
})

test('a method that a resource lacks is not found, as a problem', async () => {
  expect((await h.ask('PUT', '/sites')).status).toBe(404)
})

test('a failed engine shows no inside, only where the log tells', async () => {
  const broken = await startHarness()
  await broken.db.schema.dropTable('rules').execute()
  const { status, body } = await broken.ask('GET', '/rules', undefined, somebody('acme'))
  expect([status, body.code]).toEqual([500, 'internal'])
  expect(JSON.stringify(body)).not.toContain('rules')
  await broken.close()
})

test('the README lists every code, and the document is OpenAPI 3.1 with problems on every operation', () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8')
  const listed = [...readme.matchAll(/^\| `([\w-]+)` +\| (\d{3}) +\|/gm)].map(([, code, status]) => [code, Number(status)])
  expect(listed.sort()).toEqual(
    Object.entries(PROBLEMS)
      .map(([code, [status]]) => [code, status])
      .sort(),
  )
  const made = document(h.manager.app, 'test')
  expect(made.openapi).toBe('3.1.0')
  for (const item of Object.values(made.paths ?? {}))
    for (const operation of Object.values(item)) expect(operation.responses.default).toBeDefined()
})
