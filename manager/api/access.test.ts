import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACTIONS } from '../audit/actions.ts'
import { makeThings, type Row, TABLE, type Things } from './access-table.ts'
import { document } from './app.ts'
import { startWholeApi, type WholeApi } from './whole-api.ts'

/** Some hundred operations, each with a real key: seconds on a busy machine. */
const PATIENT = { timeout: 30_000 }

let api: WholeApi
let acme: string
let evil: string
let scopeless: string
let things: Things
beforeAll(async () => {
  api = await startWholeApi()
  acme = await api.newKey('acme')
  evil = await api.newKey('evil')
  scopeless = await api.newKey('acme', [])
  things = await makeThings(api, acme)
})
afterAll(() => api.close())

interface Operation {
  /** `GET /sites/{id}`, as in the table. */
  name: string
  method: string
  path: string
  /** Scopes of the document; undefined: open. */
  scopes: string[] | undefined
}
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

/** Every operation of the OpenAPI document. */
function operations(): Operation[] {
  const { paths = {} } = document(api.harness.manager.app, 'test')
  return Object.entries(paths).flatMap(([full, item]) =>
    METHODS.flatMap((lower) => {
      const found = item[lower] as { security?: { bearer?: string[] }[] } | undefined
      const method = lower.toUpperCase()
      const path = full.replace('/api/v1', '')
      return found ? [{ name: `${method} ${path}`, method, path, scopes: found.security && (found.security[0]?.bearer ?? []) }] : []
    }),
  )
}
const anyBody = (method: string) => (method === 'GET' || method === 'DELETE' ? undefined : {})
const nowhere = (path: string) => path.replaceAll(/\{\w+\}/g, 'x')
/** With the answer to it, for a readable difference. */
const answered = async (name: string, key: string | null, method: string, path: string, body?: unknown) => {
  const answer = await api.ask(key, method, path, body)
  return { name, status: answer.status, code: answer.body?.code, body: answer.body }
}

test('every operation is in the table, and the table knows no other', () => {
  expect(
    operations()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(Object.keys(TABLE).sort())
})

test('every operation but open ones wants a session or a key (401); a wrong key is none', PATIENT, async () => {
  for (const { name, method, path, scopes } of operations()) {
    expect([name, scopes === undefined]).toEqual([name, TABLE[name] === 'open'])
    if (scopes === undefined) continue
    for (const key of [null, `${acme}x`]) {
      const { status, code } = await answered(name, key, method, nowhere(path), anyBody(method))
      expect([name, status, code]).toEqual([name, 401, 'unauthenticated'])
    }
  }
})

test('every operation that names a scope is refused to a key without it (403)', PATIENT, async () => {
  for (const { name, method, path, scopes } of operations()) {
    if (scopes === undefined) continue
    const { status } = await answered(name, scopeless, method, nowhere(path), anyBody(method))
    expect([name, status === 403]).toEqual([name, scopes.length > 0])
  }
})

test("another organisation's things are not found (404), lists are empty, and names of them mean nothing (422)", PATIENT, async () => {
  const ids = Object.values(things)
  for (const { name, method, path } of operations()) {
    const row = TABLE[name] as Row
    if (row === 'open' || (row === 'own' && method !== 'GET')) continue
    if (row === 'own' || row === 'empty') {
      const { status, body } = await answered(name, evil, method, path)
      if (row === 'empty') expect([name, status, body]).toEqual([name, 200, { items: [] }])
      expect(
        ids.filter((id) => JSON.stringify(body).includes(id)),
        name,
      ).toEqual([])
    } else if ('refers' in row) {
      const { status, code, body } = await answered(name, evil, method, path, row.refers(things))
      expect([name, status, code]).toEqual([name, 422, 'reference-unknown'])
      expect(
        ids.some((id) => body.detail.includes(id)),
        `${name}: ${body.detail}`,
      ).toBe(true)
    } else {
      const { status, code } = await answered(name, evil, method, row.names(things), row.body)
      expect([name, status, code]).toEqual([name, 404, 'not-found'])
    }
  }
})

test('its owner finds every one of them: nothing happened, and the 404 was no slip of the table', PATIENT, async () => {
  const named = Object.entries(TABLE).filter((entry): entry is [string, Exclude<Row, string>] => typeof entry[1] !== 'string')
  // what others hang on goes last
  const ends = [/^DELETE/, /approve$|^DELETE/, /^DELETE \/(hosts|media|profiles|sites)\/\{\w+\}$/, /^DELETE \/sites\/\{id\}$/]
  const turn = (name: string) => ends.filter((end) => end.test(name)).length
  for (const [name, row] of named.sort(([a], [b]) => turn(a) - turn(b))) {
    const [method = '', path = ''] = name.split(' ')
    const [at, sent] = 'refers' in row ? [path, row.refers(things)] : [row.names(things), row.body]
    const { status, body } = await answered(name, acme, method, at, sent)
    const mine = 'mine' in row ? row.mine : undefined
    if (mine === undefined) expect([name, status !== 404 && status !== 400 && status !== 422, body]).toEqual([name, true, body])
    else expect([name, status]).toEqual([name, mine])
    expect([name, status < 500 || status === 503, body]).toEqual([name, true, body])
  }
})

test('every operation that is no GET has its word in the audit log', () => {
  const changing = operations().filter(({ method }) => method !== 'GET')
  expect(changing.filter(({ name }) => ACTIONS[name] === undefined).map(({ name }) => name)).toEqual([])
  const known = new Set([...changing.map(({ name }) => name), 'POST /setup', 'POST /signin', 'POST /api/auth/sign-in/email'])
  expect(Object.keys(ACTIONS).filter((name) => !known.has(name))).toEqual([])
})

test('what is no operation wants a key too', async () => {
  for (const path of ['/openapi.json', '/reference', '/reference/swagger-ui.css', '/nothing', '/sites/x/nothing'])
    expect([path, (await api.ask(null, 'GET', path)).status]).toEqual([path, 401])
  expect((await api.ask(acme, 'GET', '/nothing')).body).toMatchObject({ status: 404, code: 'not-found' })
  const healthz = await api.harness.manager.app.request('/healthz')
  expect(await healthz.json()).toEqual({ status: 'ok', version: 'test' })
})
