import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newBox, newSite, startHarness } from '../harness.ts'

const SHA = 'a'.repeat(64)
let h: Harness
let credentials: { site: string; secret: string }
beforeEach(async () => {
  h = await startHarness({ loaders: { 'undionly.kpxe': { sha256: SHA, bytes: 10, name: 'undionly.kpxe' } } })
  await newSite(h, 'berlin')
  const token = (await h.ask('POST', '/sites/berlin/tokens', {})).body.config.token
  credentials = (await h.ask('POST', '/enrol', await newBox().request(token), null)).body
  await h.ask('GET', '/sites/berlin/state')
})
afterEach(() => h.close())

const get = (sha256: string, user = `${credentials.site}:${credentials.secret}`, method = 'GET') =>
  h.manager.uplink.request(`/artifacts/${sha256}`, { method, headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` } })

test('an appliance is sent on to what its state names', async () => {
  for (const method of ['GET', 'HEAD']) {
    const answer = await get(SHA, undefined, method)
    expect([answer.status, answer.headers.get('location')]).toEqual([302, `/bucket/${SHA}?signature=x`])
  }
})

test.each([
  { what: 'an artifact that its state does not name', sha: 'b'.repeat(64), user: undefined, status: 403 },
  { what: 'a wrong secret', sha: SHA, user: (site: string) => `${site}:wrong`, status: 401 },
  { what: 'no secret', sha: SHA, user: (site: string) => site, status: 401 },
  { what: 'an unknown site', sha: SHA, user: () => 'nobody:secret', status: 401 },
])('$what is answered $status', async ({ sha, user, status }) => {
  const answer = await get(sha, user?.(credentials.site))
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
})

test('no header, a strange header: 401 with a challenge', async () => {
  for (const authorization of [undefined, 'Bearer x', 'Basic !!!', 'Basic'])
    expect((await h.manager.uplink.request(`/artifacts/${SHA}`, { headers: authorization ? { authorization } : {} })).status).toBe(401)
  expect((await h.manager.uplink.request('/healthz')).status).toBe(200)
  expect((await h.manager.uplink.request('/api/v1/sites')).status).toBe(404) // the uplink is no door to the API
})

test('what the bucket has lost is not found, and told', async () => {
  const told: string[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (event: string) => void told.push(event), child: () => log }
  const lost = await startHarness({ db: h.db, log, engines: { presign: async () => undefined } })
  h = { ...h, manager: lost.manager, close: h.close }
  expect((await get(SHA)).status).toBe(404)
  expect(told).toEqual(['artifact.missing'])
})
