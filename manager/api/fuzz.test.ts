import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, type Harness, newSite, startHarness } from '../harness.ts'
import { document } from './app.ts'
import { startWholeApi } from './whole-api.ts'

let h: Harness
const failed: unknown[] = []
const log = {
  debug() {},
  info() {},
  warn() {},
  error: (event: string, fields?: object) => void failed.push([event, fields]),
  child: () => log,
}
beforeAll(async () => {
  h = await startHarness({ log })
  await newSite(h, 'berlin')
  await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'] })
  await h.ask('POST', '/scripts', { name: 'hi', kind: 'bash', text: 'echo {{ vars.x }}' })
})
afterAll(() => h.close())

let seed = 42
const below = (limit: number) => {
  seed = (seed * 48_271) % 2_147_483_647
  return seed % limit
}
const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T
/** Words that mean something to some field, and values that mean nothing anywhere. */
const WORDS = [
  'berlin',
  'hi',
  'n1',
  '',
  '\u0000',
  "'; DROP TABLE sites; --",
  '{{',
  '{% if',
  '../../etc/passwd',
  '10.0.0.0/8',
  '999.1.1.1',
  '52:54:00:00:00:01',
  '__proto__',
  'constructor',
  'a=b,c in (d',
  'guest@example.com',
  'owner',
  'correct horse battery',
  '\ud800',
  'x'.repeat(5000),
]
const KEYS = [
  'name',
  'site',
  'macs',
  'tags',
  'lans',
  'subnet',
  'address',
  'dns',
  'records',
  'targets',
  'x86_64',
  'kernel',
  'script',
  'text',
  'selector',
  'hosts',
  'vars',
  'variables',
  'kind',
  'match',
  'profile',
  'token',
  'proof',
  'hardware',
  'scopes',
  'order',
  'revision',
  'email',
  'password',
  'role',
  'before',
  'limit',
  '__proto__',
]
function value(depth: number): unknown {
  switch (below(depth > 3 ? 5 : 8)) {
    case 0:
      return pick(WORDS)
    case 1:
      return pick([0, -1, 1e308, 1.5, 2 ** 53, Number.NaN])
    case 2:
      return pick([true, false])
    case 3:
      return null
    case 4:
      return pick(WORDS)
    case 5:
      return Array.from({ length: below(4) }, () => value(depth + 1))
    default:
      return Object.fromEntries(Array.from({ length: below(6) }, () => [pick(KEYS), value(depth + 1)]))
  }
}

type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>
/** Sends `rounds` strange requests to each operation that `which` takes. Returns how often each status was answered. */
async function fuzz(harness: Harness, ask: Ask, which: (path: string) => boolean, rounds: number): Promise<Record<number, number>> {
  const { paths = {} } = document(harness.manager.app, 'test')
  const answers: Record<number, number> = {}
  for (const [path, item] of Object.entries(paths))
    for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      if (!item[method] || path.endsWith('/events') || !which(path)) continue
      for (let round = 0; round < rounds; round++) {
        const url = path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(pick(WORDS.filter((word) => word !== '' && word !== '\ud800'))))
        const query =
          method === 'get'
            ? `?${encodeURIComponent(pick(KEYS))}=${encodeURIComponent(pick(WORDS.filter((word) => word !== '\ud800')))}`
            : ''
        const body = method === 'get' || method === 'delete' ? undefined : value(0)
        const answer = await ask(method.toUpperCase(), url + (round % 2 ? query : ''), body)
        answers[answer.status] = (answers[answer.status] ?? 0) + 1
        expect(answer.status, `${method} ${url}: ${JSON.stringify(failed.at(-1))}`).toBeLessThan(500)
        if (answer.status >= 400) expect(answer.body.code, `${method} ${url}`).toBeDefined()
      }
    }
  return answers
}

test('no body and no path, however strange, makes an operation fail or answer anything but problems', { timeout: 30_000 }, async () => {
  const answers = await fuzz(h, h.ask, () => true, 25)
  expect(Object.keys(answers).length).toBeGreaterThan(3)
  expect(failed).toEqual([])
})

test('nor does it with real accounts: sessions, members, invitations, keys and the audit log', { timeout: 30_000 }, async () => {
  const whole = await startWholeApi({ log })
  const apiKey = await whole.newKey('acme')
  const ask: Ask = (method, path, body) => whole.ask(apiKey, method, path.replace('/api/v1', ''), body)
  const answers = await fuzz(whole.harness, ask, (path) => /session|member|invitation|api-key|audit|whoami/.test(path), 25)
  await whole.close()
  expect(Object.keys(answers).length).toBeGreaterThan(2)
  expect(failed).toEqual([])
})

test('paths that are no text are answered, too', async () => {
  for (const path of ['/sites/%ff', '/sites/%', '/hosts/..%2f..', '/sites/%00/state', '/events?site=%00&follow=false'])
    expect([path, (await h.ask('GET', path)).status >= 400, (await h.ask('GET', path)).status < 500]).toEqual([path, true, true])
})
