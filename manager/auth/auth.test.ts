import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../engines/http/app.ts'
import { SCOPES } from '../engines/http/scope.ts'
import { type Db, openStore } from '../engines/store/store.ts'
import { startHarness } from '../harness.ts'
import { createAuth } from './auth.ts'
import { createSetup } from './setup.ts'

/** The real better-auth on SQLite, from the first start on; the tests tell one story, in order. */
let directory: string
let db: Db
let app: App
let link: string
let apiKey: string
let prepare: () => Promise<string | undefined>
let close: () => Promise<void>
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-auth-'))
  db = await openStore(join(directory, 'manager.sqlite'))
  const baseUrl = 'http://127.0.0.1:8420'
  const auth = createAuth({
    db,
    secret: 's'.repeat(43),
    baseUrl: 'https://manager.example',
    trustedOrigins: [baseUrl],
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    clock: steppedClock(1),
    log: silentLog,
  })
  await auth.migrate()
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
  const setup = createSetup({ db, auth, file: join(directory, 'setup-link'), url: baseUrl, random, clock: steppedClock(1) })
  const harness = await startHarness({ db, engines: { auth, setup } })
  app = harness.manager.app
  prepare = setup.prepare
  link = (await setup.prepare()) ?? ''
  close = harness.close
})
afterAll(async () => {
  await close()
  await rm(directory, { recursive: true })
})

const owner = { email: 'ada@example.com', password: 'correct horse battery', name: 'Ada', organisation: 'Acme' }
const token = () => new URL(link).searchParams.get('token') ?? ''
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  app.request(path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } })
const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  app.request(path, { method: 'POST', body: new URLSearchParams(fields), headers: { origin: 'http://localhost', ...headers } })
const code = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code]

test('the link lies in a file that only its owner reads, and stays the same over a restart', async () => {
  const file = join(directory, 'setup-link')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await readFile(file, 'utf8')).trim()).toBe(link)
  expect(await prepare()).toBe(link)
  expect(JSON.stringify(await db.selectFrom('settings').selectAll().execute())).not.toContain(token())
})

test('the link is right, and nothing else is', async () => {
  expect((await app.request(`/setup?token=${token()}`)).status).toBe(204)
  expect(await code(await app.request('/setup?token=wrong'))).toEqual([403, 'setup-token-wrong'])
  expect(await code(await app.request('/setup'))).toEqual([403, 'setup-token-wrong'])
})

test('bad input names the field and spends nothing; a form of another page is none', async () => {
  const short = await post('/setup', { ...owner, token: token(), password: 'short' })
  expect(((await short.json()) as { errors: unknown[] }).errors).toMatchObject([
    { field: 'password', message: 'expected at least 12 characters' },
  ])
  expect(await code(await post('/setup', { ...owner, token: token(), admin: true }))).toEqual([400, 'invalid'])
  expect(await code(await post('/setup', { ...owner, token: 'wrong' }))).toEqual([403, 'setup-token-wrong'])
  expect(await code(await app.request('/setup', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }))).toEqual([
    400,
    'malformed-json',
  ])
  expect(await code(await form('/setup', { ...owner, token: token() }))).toEqual([415, 'content-type'])
})

test('two scripts that use the link at once: one gets the key, the other is told that it is spent', async () => {
  const answers = await Promise.all([1, 2].map(() => post('/setup', { ...owner, token: token(), apiKey: true })))
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 410])
  const made = (await answers.find((answer) => answer.status === 201)?.json()) as { apiKey: string; organisation: string }
  apiKey = made.apiKey
  expect(apiKey).toMatch(/^bh_\w{60,}$/)
  await expect(stat(join(directory, 'setup-link'))).rejects.toThrow('ENOENT')
  expect(await prepare()).toBeUndefined()
  expect(await code(await app.request(`/setup?token=${token()}`))).toEqual([410, 'setup-spent'])
})

test('who sets up by the page gets no key, so that none is left that nobody ever saw', async () => {
  const fresh = await openStore(':memory:')
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
  const clock = steppedClock(1)
  const auth = createAuth({
    db: fresh,
    secret: 's'.repeat(43),
    baseUrl: 'https://a.example',
    trustedOrigins: [],
    random,
    clock,
    log: silentLog,
  })
  await auth.migrate()
  const setup = createSetup({ db: fresh, auth, file: join(directory, 'other-link'), url: 'https://a.example', random, clock })
  const { app: other, close: end } = await startHarness({ db: fresh, engines: { auth, setup } }).then((one) => ({
    app: one.manager.app,
    ...one,
  }))
  const secret = new URL((await setup.prepare()) ?? '').searchParams.get('token')
  const headers = { 'content-type': 'application/json' }
  const answer = await other.request('/setup', { method: 'POST', headers, body: JSON.stringify({ ...owner, token: secret }) })
  expect(answer.status).toBe(201)
  const made = (await answer.json()) as { organisation: string }
  expect(made).not.toHaveProperty('apiKey')
  expect(await auth.keys.list(made.organisation)).toEqual([])
  await end()
})

test('the key works both ways; another or a changed one does not', async () => {
  const who = (headers: Record<string, string>) => app.request('/api/v1/whoami', { headers })
  expect((await who({ authorization: `Bearer ${apiKey}` })).status).toBe(200)
  expect(await (await who({ 'x-api-key': apiKey })).json()).toMatchObject({ actor: { kind: 'key', name: 'set-up' } })
  for (const headers of [
    {},
    { 'x-api-key': `${apiKey}x` },
    { 'x-api-key': 'bh_' },
    { authorization: `Basic ${apiKey}` },
    { authorization: 'Bearer ' },
  ])
    expect((await who(headers as Record<string, string>)).status).toBe(401)
  expect(
    JSON.stringify(
      await db
        .selectFrom('apikey' as never)
        .selectAll()
        .execute(),
    ),
  ).not.toContain(apiKey)
})

test('a key with one scope does just that, and ends when it is deleted', async () => {
  const admin = { 'x-api-key': apiKey }
  const made = (await (await post('/api/v1/api-keys', { name: 'reader', scopes: ['sites:read'], expiresInDays: 2 }, admin)).json()) as {
    id: string
    key: string
  }
  const reader = { 'x-api-key': made.key }
  expect((await app.request('/api/v1/sites', { headers: reader })).status).toBe(200)
  expect(await code(await post('/api/v1/sites', { name: 'x' }, reader))).toEqual([403, 'forbidden'])
  expect(await code(await post('/api/v1/api-keys', { name: 'more', scopes: ['admin'] }, reader))).toEqual([403, 'forbidden'])
  const { items } = (await (await app.request('/api/v1/api-keys', { headers: admin })).json()) as {
    items: { name: string; scopes: string[] }[]
  }
  expect(items.map((item) => item.name).sort()).toEqual(['reader', 'set-up'])
  expect((await app.request(`/api/v1/api-keys/${made.id}`, { method: 'DELETE', headers: admin })).status).toBe(204)
  expect((await app.request('/api/v1/sites', { headers: reader })).status).toBe(401)
})

test('the session is a cookie that no script reads, by TLS for TLS alone; the API takes it', async () => {
  const { email, password } = owner
  const set = (await post('/api/v1/session', { email, password })).headers.get('set-cookie') ?? ''
  expect(set).toMatch(/HttpOnly/)
  expect(set).toMatch(/SameSite=Lax/)
  expect(set).not.toMatch(/Secure/) // this was the plain listener
  const byTls = await post('https://manager.example/api/v1/session', { email, password })
  expect(byTls.headers.get('set-cookie')).toMatch(/; Secure/)
  const cookie = set.split(';')[0] ?? ''
  const whoami = (value: string) => app.request('/api/v1/whoami', { headers: { cookie: value } })
  expect(await (await whoami(cookie)).json()).toMatchObject({ actor: { kind: 'user' }, scopes: expect.arrayContaining(['admin']) })
  expect((await whoami(`${cookie}x`)).status).toBe(401)
})

test('a browser that asks for the reference signs in first', async () => {
  const asked = await app.request('/api/v1/reference', { headers: { accept: 'text/html,*/*' } })
  expect([asked.status, asked.headers.get('location')]).toEqual([302, '/signin?next=%2Fapi%2Fv1%2Freference'])
})

test('the console signs in by JSON, learns who it is, and signs out', async () => {
  const { email, password } = owner
  expect(await code(await post('/api/v1/session', { email, password: 'not this one' }))).toEqual([401, 'unauthenticated'])
  expect(await code(await post('/api/v1/session', { email: 'ada', password }))).toEqual([400, 'invalid'])
  expect((await form('/api/v1/session', { email, password }, { origin: 'https://evil.example' })).status).toBe(415)
  const signedIn = await post('/api/v1/session', { email: 'ADA@example.com', password })
  const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  const mine = (path: string, method = 'GET') => app.request(`/api/v1${path}`, { method, headers: { cookie } })
  const session = { user: { id: expect.any(String), name: 'Ada', email }, organisation: { id: expect.any(String), name: 'Acme' } }
  const shown = { ...session, role: 'owner', scopes: [...SCOPES] }
  expect(await signedIn.json()).toEqual(shown)
  expect(await (await mine('/session')).json()).toEqual(shown)
  expect(await code(await app.request('/api/v1/session', { headers: { 'x-api-key': apiKey } }))).toEqual([404, 'not-found'])
  const signedOut = await mine('/session/signout', 'POST')
  expect([signedOut.status, signedOut.headers.get('set-cookie')]).toEqual([204, expect.stringMatching(/Max-Age=0/i)])
  expect(await code(await mine('/session'))).toEqual([401, 'unauthenticated'])
})

test('nobody makes an account, an organisation or a key through the library’s own doors', async () => {
  const stranger = { email: 'eve@example.com', password: 'correct horse battery', name: 'Eve' }
  expect((await post('/api/auth/sign-up/email', stranger)).status).toBe(404)
  expect((await post('/api/auth/organization/create', { name: 'Evil', slug: 'evil' })).status).toBe(404)
  expect((await post('/api/auth/api-key/create', { name: 'evil', organizationId: 'x' })).status).toBe(404)
  expect((await post('/api/auth/sign-in/email/', stranger)).status).toBe(404)
  expect((await app.request('/api/auth/ok')).status).toBe(200)
})

test('set-up, sign-ins and sign-outs are in the audit log, with the person and without a secret', async () => {
  const { items } = (await (await app.request('/api/v1/audit', { headers: { 'x-api-key': apiKey } })).json()) as {
    items: { action: string; actor: { kind: string; name: string }; target?: object; detail: object }[]
  }
  const said = items.map(({ action, actor }) => `${actor.name} ${action}`)
  expect(said.at(-1)).toBe(`${owner.email} organisation.create`)
  expect(said).toEqual(expect.arrayContaining([`${owner.email} session.start`, `${owner.email} session.end`, 'set-up api-key.create']))
  const removed = items.find(({ action }) => action === 'api-key.delete')
  expect(removed?.target).toEqual({ id: expect.any(String), name: 'reader' })
  expect(items.find(({ action }) => action === 'session.end')?.actor.kind).toBe('user')
  const text = JSON.stringify(items)
  for (const secret of [owner.password, token(), apiKey]) expect(text).not.toContain(secret)
})

test('a dictionary of passwords is stopped after ten, by the session and at the library’s door', async () => {
  const wrong = { email: 'ada@example.com', password: 'not this one' }
  for (let number = 0; number < 5; number++) {
    expect((await post('/api/v1/session', wrong)).status).toBe(401)
    expect((await post('/api/auth/sign-in/email', wrong, { origin: 'http://127.0.0.1:8420' })).status).toBe(401)
  }
  const stopped = await post('/api/v1/session', { ...wrong, password: owner.password })
  expect([stopped.status, stopped.headers.get('retry-after')]).toEqual([429, '60'])
  expect((await post('/api/auth/sign-in/email', wrong)).status).toBe(429)
})
