import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore } from '../engines/store/store.ts'
import { type Answer, startHarness } from '../harness.ts'
import { type Auth, createAuth } from './auth.ts'

/** The real better-auth in memory; the tests tell one story of Ada's organisation, in order. */
const clock = steppedClock(Date.now() + 60_000) // past what the library stamps by its own
let auth: Auth
let close: () => Promise<void>
let request: (path: string, init: RequestInit) => Response | Promise<Response>
const cookies: Record<string, string> = {}
const PASSWORD = 'correct horse battery'

beforeAll(async () => {
  const db = await openStore(':memory:')
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
  auth = createAuth({ db, secret: 's'.repeat(43), baseUrl: 'https://manager.example', trustedOrigins: [], random, clock, log: silentLog })
  await auth.migrate()
  const harness = await startHarness({ db, engines: { auth } })
  request = harness.manager.app.request
  close = harness.close
  await auth.createOwner({ email: 'ada@example.com', password: PASSWORD, name: 'Ada', organisation: 'Acme' })
  await auth.createOwner({ email: 'eve@example.com', password: PASSWORD, name: 'Eve', organisation: 'Evil' })
  for (const name of ['ada', 'eve']) await signIn(name)
})
afterAll(() => close())

/** As a person who is signed in, or as nobody. */
async function ask(who: string | null, method: string, path: string, body?: unknown): Promise<Answer> {
  const headers: Record<string, string> = { ...(who ? { cookie: cookies[who] ?? '' } : {}) }
  if (body !== undefined) headers['content-type'] = 'application/json'
  const answer = await request(`/api/v1${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, body: text && JSON.parse(text), headers: answer.headers }
}
async function signIn(name: string): Promise<number> {
  const answer = await ask(null, 'POST', '/session', { email: `${name}@example.com`, password: PASSWORD })
  cookies[name] = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
  return answer.status
}
const invite = async (who: string, name: string, role: string) =>
  ask(who, 'POST', '/members/invitations', { email: `${name}@example.com`, role })
const codeOf = (answer: Answer) => new URL(answer.body.link).pathname.replace('/invite/', '')
const join = (code: string, name: string) => ask(null, 'POST', `/invitations/${code}`, { name, password: PASSWORD })
const members = async (who = 'ada') =>
  (await ask(who, 'GET', '/members')).body.items as { id: string; user: { email: string }; role: string }[]
const idOf = async (name: string) => (await members()).find((one) => one.user.email === `${name}@example.com`)?.id ?? ''

test('a person is invited by a link that is shown once, joins by it, and is signed in', async () => {
  const made = await invite('ada', 'Bob', 'admin')
  expect([made.status, made.body.link, made.body.expiresAt]).toEqual([
    201,
    expect.stringMatching(/^https:\/\/manager\.example:8443\/invite\/[\w-]{36}\.[\w-]{43}$/),
    clock.now() + 7 * 86_400_000,
  ])
  const { items } = (await ask('ada', 'GET', '/members/invitations')).body
  expect(items).toEqual([
    { id: made.body.id, email: 'bob@example.com', role: 'admin', createdAt: clock.now(), expiresAt: made.body.expiresAt },
  ])
  const code = codeOf(made)
  expect((await ask(null, 'GET', `/invitations/${code}`)).body).toEqual({
    email: 'bob@example.com',
    role: 'admin',
    organisation: { name: 'Acme' },
    expiresAt: made.body.expiresAt,
  })
  const joined = await join(code, 'Bob')
  expect([joined.status, joined.body]).toEqual([
    201,
    expect.objectContaining({ user: { id: expect.any(String), name: 'Bob', email: 'bob@example.com' }, role: 'admin' }),
  ])
  cookies.bob = joined.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect((await ask('bob', 'GET', '/session')).body.organisation.name).toBe('Acme')
  expect((await members()).map((one) => [one.user.email, one.role])).toEqual([
    ['ada@example.com', 'owner'],
    ['bob@example.com', 'admin'],
  ])
  expect((await ask('ada', 'GET', '/members/invitations')).body.items).toEqual([])
})

for (const { link, spoil, status, code, says } of [
  {
    link: 'that was used',
    spoil: async (sent: string) => void (await join(sent, 'X')),
    status: 410,
    code: 'invitation-spent',
    says: 'used already',
  },
  {
    link: 'that was taken back',
    spoil: async (_: string, id: string) => void (await ask('ada', 'DELETE', `/members/invitations/${id}`)),
    status: 410,
    code: 'invitation-spent',
    says: 'taken back',
  },
  {
    link: 'whose place a newer one took',
    spoil: async () => void (await invite('ada', 'guest', 'member')),
    status: 410,
    code: 'invitation-spent',
    says: 'taken back',
  },
  { link: 'of last week', spoil: async () => clock.advance(7 * 86_400_000), status: 410, code: 'invitation-spent', says: 'expired' },
])
  test(`a link ${link} lets nobody in`, async () => {
    const made = await invite('ada', 'guest', 'member')
    await spoil(codeOf(made), made.body.id)
    for (const answer of [await ask(null, 'GET', `/invitations/${codeOf(made)}`), await join(codeOf(made), 'Guest')])
      expect([answer.status, answer.body.code, answer.body.detail]).toEqual([status, code, expect.stringContaining(says)])
    const guest = await idOf('guest')
    if (guest) await ask('ada', 'DELETE', `/members/${guest}`)
  })

test('wrong links are not found; after ten of one invitation it rests for a minute, and no other does', async () => {
  const one = codeOf(await invite('ada', 'guest', 'member'))
  const other = codeOf(await invite('ada', 'other', 'member'))
  const [id] = one.split('.')
  for (const code of ['x', 'x.y', '...', `${id}`, `${id}.`, '%00', "'--", '__proto__'])
    expect([code, (await ask(null, 'GET', `/invitations/${encodeURIComponent(code)}`)).status]).toEqual([code, 404])
  for (let number = 0; number < 10; number++) await ask(null, 'GET', `/invitations/${id}.wrong`)
  const stopped = await ask(null, 'GET', `/invitations/${one}`)
  expect([stopped.status, stopped.headers.get('retry-after')]).toEqual([429, '60'])
  expect((await ask(null, 'GET', `/invitations/${other}`)).status).toBe(200)
  clock.advance(60_000)
  expect((await ask(null, 'GET', `/invitations/${one}`)).status).toBe(200)
})

test('two who use one link at once: one joins', async () => {
  const code = codeOf(await invite('ada', 'twin', 'member'))
  const answers = await Promise.all([join(code, 'One'), join(code, 'Two')])
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 410])
  expect((await members()).filter((one) => one.user.email === 'twin@example.com')).toHaveLength(1)
})

test('bad input names the field and spends nothing', async () => {
  const code = codeOf(await invite('ada', 'guest', 'member'))
  const short = await ask(null, 'POST', `/invitations/${code}`, { name: ' ', password: 'short' })
  expect(short.body.errors.map((error: { field: string }) => error.field)).toEqual(['name', 'password'])
  for (const [body, field] of [
    [{ email: 'nobody', role: 'member' }, 'email'],
    [{ email: 'a@example.com', role: 'king' }, 'role'],
    [{ email: 'a@example.com', organisation: 'evil' }, 'organisation'],
  ] as const) {
    const answer = await ask('ada', 'POST', '/members/invitations', body)
    expect([answer.status, answer.body.errors[0].field]).toEqual([400, field])
  }
  expect((await ask(null, 'GET', `/invitations/${code}`)).status).toBe(200)
  expect((await invite('ada', 'bob', 'member')).body).toMatchObject({ status: 409, code: 'in-use', errors: [{ field: 'email' }] })
})

test('nobody takes over the account of another organisation by an invitation', async () => {
  const code = codeOf(await invite('ada', 'eve', 'member'))
  expect((await join(code, 'Not Eve')).body).toMatchObject({ status: 409, code: 'in-use' })
  expect((await ask('eve', 'GET', '/session')).body).toMatchObject({ user: { name: 'Eve' }, organisation: { name: 'Evil' } })
  expect(await signIn('eve')).toBe(200)
})

test('a role holds from the next request on', async () => {
  const code = codeOf(await invite('ada', 'cat', 'member'))
  cookies.cat = (await join(code, 'Cat')).headers.get('set-cookie')?.split(';')[0] ?? ''
  const id = await idOf('cat')
  expect((await ask('cat', 'GET', '/members')).status).toBe(403)
  expect((await ask('cat', 'GET', '/sites')).status).toBe(200)
  expect((await ask('bob', 'PATCH', `/members/${id}`, { role: 'admin' })).body).toMatchObject({ id, role: 'admin', user: { name: 'Cat' } })
  expect((await ask('cat', 'GET', '/members')).status).toBe(200)
})

test('only owners make and unmake owners, and the last one stays', async () => {
  const [ada, bob] = [await idOf('ada'), await idOf('bob')]
  for (const answer of [
    await ask('bob', 'PATCH', `/members/${bob}`, { role: 'owner' }),
    await ask('bob', 'PATCH', `/members/${ada}`, { role: 'member' }),
    await ask('bob', 'DELETE', `/members/${ada}`),
    await invite('bob', 'friend', 'owner'),
  ])
    expect([answer.status, answer.body.code]).toEqual([403, 'forbidden'])
  for (const answer of [await ask('ada', 'PATCH', `/members/${ada}`, { role: 'admin' }), await ask('ada', 'DELETE', `/members/${ada}`)])
    expect([answer.status, answer.body.code]).toEqual([409, 'last-owner'])
  expect((await ask('ada', 'PATCH', `/members/${ada}`, { role: 'owner' })).status).toBe(200)
  expect((await ask('ada', 'PATCH', `/members/${bob}`, { role: 'owner' })).body.role).toBe('owner')
})

test('two owners who remove each other at once: one stays', async () => {
  const [ada, bob] = [await idOf('ada'), await idOf('bob')]
  const answers = await Promise.all([
    ask('ada', 'PATCH', `/members/${bob}`, { role: 'member' }),
    ask('bob', 'PATCH', `/members/${ada}`, { role: 'member' }),
  ])
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 403])
  const first = answers[0].status === 200 ? 'ada' : 'bob'
  expect((await members(first)).filter((one) => one.role === 'owner')).toHaveLength(1)
  if (first === 'ada') return
  await ask('bob', 'PATCH', `/members/${ada}`, { role: 'owner' }) // the story goes on with Ada as the owner
  await ask('ada', 'PATCH', `/members/${bob}`, { role: 'member' })
})

test('a person changes the password; every other session ends, and the old password with it', async () => {
  const here = cookies.cat
  await signIn('cat')
  const there = cookies.cat
  const change = (current: string, password: string) => ask('cat', 'POST', '/session/password', { currentPassword: current, password })
  expect((await change('not this one', 'another password')).body).toMatchObject({ status: 400, errors: [{ field: 'currentPassword' }] })
  expect((await change(PASSWORD, 'short')).body).toMatchObject({ status: 400, errors: [{ field: 'password' }] })
  const changed = await change(PASSWORD, 'another password')
  expect([changed.status, changed.body.user.email]).toEqual([200, 'cat@example.com'])
  for (const cookie of [here, there]) {
    cookies.cat = cookie ?? ''
    expect((await ask('cat', 'GET', '/session')).status).toBe(401)
  }
  cookies.cat = changed.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect((await ask('cat', 'GET', '/session')).status).toBe(200)
  expect(await signIn('cat')).toBe(401)
  cookies.cat = changed.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect((await change('another password', PASSWORD)).status).toBe(200)
  expect(await signIn('cat')).toBe(200)
})

test('who is removed is out at once, and may be invited anew', async () => {
  const id = await idOf('cat')
  expect((await ask('ada', 'DELETE', `/members/${id}`)).status).toBe(204)
  expect((await ask('cat', 'GET', '/sites')).status).toBe(401)
  expect(await signIn('cat')).toBe(401)
  expect((await ask('ada', 'DELETE', `/members/${id}`)).status).toBe(404)
  expect((await join(codeOf(await invite('ada', 'cat', 'member')), 'Cat again')).status).toBe(201)
})

test("another organisation's people and invitations are not found", async () => {
  const { id } = (await invite('ada', 'guest', 'member')).body
  expect((await members('eve')).map((one) => one.user.email)).toEqual(['eve@example.com'])
  expect((await ask('eve', 'GET', '/members/invitations')).body.items).toEqual([])
  for (const answer of [
    await ask('eve', 'DELETE', `/members/invitations/${id}`),
    await ask('eve', 'PATCH', `/members/${await idOf('bob')}`, { role: 'member' }),
    await ask('eve', 'DELETE', `/members/${await idOf('bob')}`),
  ])
    expect([answer.status, answer.body.code]).toEqual([404, 'not-found'])
})

test('the audit log tells of all of it, and knows no code and no password', async () => {
  const { items } = (await ask('ada', 'GET', '/audit?limit=500')).body
  const actions = new Set(items.map((one: { action: string }) => one.action))
  for (const action of ['invitation.create', 'invitation.delete', 'member.join', 'member.change', 'member.delete', 'session.start'])
    expect(actions).toContain(action)
  expect(actions).toContain('password.change')
  const newest = (action: string) => items.find((one: { action: string }) => one.action === action)
  expect([newest('member.delete').target.name, newest('member.change').target.name]).toEqual(['cat@example.com', 'bob@example.com'])
  expect(newest('invitation.create').target).toEqual({ id: expect.any(String), name: 'guest@example.com' })
  expect(newest('member.join')).toMatchObject({
    actor: { kind: 'user', name: 'cat@example.com' },
    target: { name: 'cat@example.com' },
    detail: { name: 'Cat again', password: '(not kept)' },
  })
  expect(JSON.stringify(items)).not.toMatch(new RegExp(`\\.[\\w-]{43}|${PASSWORD}|another password|not this one`))
})
