import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { machineApt } from '../engines/apt/apt.ts'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import { type Harness, newSite, somebody, startHarness } from '../harness.ts'
import { registerPackagerJobs } from '../packagers/jobs.ts'
import { packagerRoutes } from '../packagers/routes.ts'
import { document } from './app.ts'

let h: Harness
beforeAll(async () => {
  h = await startHarness({ engines: { parts: [imageRoutes()] } })
})
afterAll(() => h.close())

/** The packagers' door, on engines that nobody gets to. */
function imageRoutes() {
  const clock = steppedClock(0)
  const bucket = testBucket('/nowhere', clock)
  const building = { bucket, apt: machineApt(), clock, workDirectory: '/nowhere' }
  const none = { enqueue: async () => '', status: async () => undefined, cancel: async () => false, follow: async function* () {} }
  const kinds = registerPackagerJobs({ defineJob: (name, schema) => ({ name, schema }) }, { ...building, log: silentLog })
  return packagerRoutes({ ...building, jobs: none, kinds })
}

interface Operation {
  security?: Record<string, string[]>[]
}
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

/** Whoever has the token, or the ticket, has the right. */
const OPEN = [
  'POST /api/v1/enrol',
  'POST /api/v1/session',
  'GET /api/v1/invitations/{code}',
  'POST /api/v1/invitations/{code}',
  'GET /api/v1/appliance-images/download/{ticket}',
]

test('every operation of the API, but enrolment and downloads by ticket, wants a key (401) with the right scope (403)', async () => {
  const { paths = {} } = document(h.manager.app, 'test')
  const walked: string[] = []
  for (const [path, item] of Object.entries(paths))
    for (const method of METHODS) {
      const operation = item[method] as Operation | undefined
      if (!operation) continue
      const name = `${method.toUpperCase()} ${path}`
      const url = path.replaceAll(/\{\w+\}/g, 'x')
      const body = method === 'get' || method === 'delete' ? undefined : {}
      const anonymous = await h.ask(method.toUpperCase(), url, body, null)
      if (operation.security === undefined) {
        expect(OPEN).toContain(name)
        continue
      }
      expect([name, anonymous.status, anonymous.body.code]).toEqual([name, 401, 'unauthenticated'])
      expect(anonymous.headers.get('content-type')).toBe('application/problem+json')
      const scopes = operation.security[0]?.bearer ?? []
      const scopeless = await h.ask(method.toUpperCase(), url, body, somebody('acme', []))
      expect([name, scopeless.status === 403]).toEqual([name, scopes.length > 0])
      walked.push(name)
    }
  expect(walked.length).toBeGreaterThan(45)
})

test('what is no operation wants a key too', async () => {
  for (const path of ['/api/v1/openapi.json', '/api/v1/reference', '/api/v1/reference/swagger-ui.css', '/api/v1/nothing'])
    expect([path, (await h.ask('GET', path, undefined, null)).status]).toEqual([path, 401])
  expect((await h.ask('GET', '/healthz', undefined, null)).body).toEqual({ status: 'ok', version: 'test' })
  expect((await h.ask('GET', '/api/v1/nothing')).body).toMatchObject({ status: 404, code: 'not-found' })
})

test("another organisation's things are not found, whatever one tries", async () => {
  const site = await newSite(h, 'berlin', 'acme')
  const host = (await h.ask('POST', '/hosts', { site: 'berlin', name: 'n1', macs: ['52:54:00:00:00:01'] })).body.id
  const rule = (await h.ask('POST', '/rules', { name: 'all' })).body.id
  const script = (await h.ask('POST', '/scripts', { name: 'hello', kind: 'bash', text: 'echo hello' })).body.id
  const run = (await h.ask('POST', '/runs', { script: 'hello', selector: '' })).body.id
  for (const [method, path, body] of [
    ['GET', `/sites/${site}`],
    ['PATCH', `/sites/${site}`, { tags: {} }],
    ['DELETE', `/sites/${site}`],
    ['GET', `/sites/${site}/state`],
    ['GET', '/sites/berlin/tokens'],
    ['POST', `/sites/${site}/tokens`, {}],
    ['GET', `/sites/${site}/pending`],
    ['POST', `/sites/${site}/pending/x/approve`],
    ['GET', `/hosts/${host}`],
    ['PATCH', `/hosts/${host}`, { tags: {} }],
    ['DELETE', `/hosts/${host}`],
    ['POST', `/hosts/${host}/intent`, { kind: 'local-disk' }],
    ['DELETE', `/hosts/${host}/intent`],
    ['GET', `/hosts/${host}/explain`],
    ['GET', `/hosts/${host}/timeline`],
    ['GET', `/hosts?site=${site}`],
    ['GET', `/events?site=${site}&follow=false`],
    ['PUT', `/rules/${rule}`, { name: 'mine' }],
    ['DELETE', `/rules/${rule}`],
    ['GET', `/scripts/${script}`],
    ['PUT', `/scripts/${script}`, { name: 'x', kind: 'bash', text: '' }],
    ['POST', '/scripts/hello/render', {}],
    ['DELETE', `/scripts/${script}`],
    ['GET', `/runs/${run}`],
  ] as const) {
    const answer = await h.ask(method, path, body, 'evil')
    expect([method, path, answer.status]).toEqual([method, path, 404])
  }
  for (const path of ['/sites', '/hosts', '/rules', '/scripts', '/runs', '/keys', '/profiles'])
    expect([path, (await h.ask('GET', path, undefined, 'evil')).body.items]).toEqual([path, []])
  expect((await h.ask('POST', '/runs', { text: 'id', hosts: [host] }, 'evil')).body.code).toBe('reference-unknown')
  expect((await h.ask('POST', '/hosts', { site, name: 'n', macs: ['52:54:00:00:00:02'] }, 'evil')).body.code).toBe('reference-unknown')
  expect((await h.ask('GET', `/hosts/${host}`)).status).toBe(200) // nothing happened to it
})
