import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../../engines/apt/apt.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { createFilesystemBucket } from '../../engines/bucket/filesystem.ts'
import { createPresigner } from '../../engines/bucket/presign.ts'
import type { JobStatus, Jobs } from '../../engines/jobs/jobs.ts'
import { type Harness, key, startHarness } from '../../harness.ts'
import { BundleError } from './bundle/order.ts'
import { registerMediaJobs } from './jobs.ts'
import { createLinks } from './links.ts'
import { type MediaManifest, mediaKey } from './recipe.ts'
import { mediaRoutes } from './routes.ts'

const url = 'http://10.0.0.1/start.ipxe'
const signingKey = key()
let directory: string
let bucket: Bucket
let harness: Harness
let jobs: ReturnType<typeof fakeJobs>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  const clock = steppedClock(1_000)
  bucket = createFilesystemBucket({ directory: join(directory, 'bucket'), presigner: createPresigner(new Uint8Array(32)), clock })
  const nothing = () => Promise.reject(new Error('no test asks apt'))
  const apt: Apt = { archive: nothing, reach: nothing, fingerprint: nothing }
  jobs = fakeJobs()
  const kinds = registerMediaJobs(jobs, { bucket, apt, clock, log: silentLog, workDirectory: join(directory, 'work') })
  const sites = [
    { id: '0190-a', name: 'shop-7', lans: [{ address: '192.168.7.2' }] },
    { id: '0190-b', name: 'empty', lans: [] },
  ]
  const routes = mediaRoutes({
    ...{ bucket, jobs, kinds, clock, signingKey },
    links: createLinks({ bucket, random: (bytes) => new Uint8Array(bytes).fill(7), clock }),
    publicUrl: 'https://manager.example:8443',
    findSite: async (organisation, idOrName) =>
      organisation === 'a' ? sites.find(({ id, name }) => id === idOrName || name === idOrName) : undefined,
    orderBundle: () => Promise.reject(new BundleError('the state of site shop-7 is not compiled yet; ask again')),
  })
  harness = await startHarness({ engines: { parts: [routes] } })
})
afterEach(async () => {
  await harness.close()
  await rm(directory, { recursive: true })
})

test('media are asked for, waited for, ready, signed, and shared by a short link', async () => {
  const asked = await harness.ask('POST', '/api/v1/media', { site: 'shop-7', outputs: ['iso', 'pxe'] }, 'a')
  expect(asked.status).toBe(202)
  expect(asked.body).toMatchObject({
    state: 'waiting',
    target: { kind: 'site', id: '0190-a', servers: ['http://192.168.7.2'] },
    ways: [{ platform: 'bin', way: 'prebuilt' }, { platform: 'bin-x86_64-efi' }, { platform: 'bin-arm64-efi' }],
  })
  const { hash } = asked.body
  const again = await harness.ask('POST', '/api/v1/media', { outputs: ['pxe', 'iso'], site: '0190-a' }, 'a')
  expect(again.body.hash, 'the same wish in other words').toBe(hash)
  expect([...jobs.all.keys()]).toEqual([hash])
  expect((await harness.ask('GET', `/api/v1/media/${hash}/signature`, undefined, 'a')).status).toBe(503)

  jobs.set(hash, { state: 'active', fraction: 0.3, text: 'making iso' })
  expect((await harness.ask('GET', `/api/v1/media/${hash}`, undefined, 'a')).body).toMatchObject({ state: 'making', lines: ['a line'] })
  const manifest = await finish(hash, asked.body)
  const ready = await harness.ask('POST', '/api/v1/media', { site: 'shop-7', outputs: ['iso', 'pxe'] }, 'a')
  expect([ready.status, ready.body.state, ready.body.manifest.files]).toEqual([200, 'ready', manifest.files])

  const { body } = await harness.ask('GET', `/api/v1/media/${hash}/signature`, undefined, 'a')
  expect(await verifyDocument('manifest', body.jws, [signingKey])).toEqual(manifest)

  const link = await harness.ask('POST', `/api/v1/media/${hash}/links`, { file: 'x.iso', expiresInSeconds: 60 }, 'a')
  expect(link.status).toBe(201)
  expect(link.body.url).toMatch(/^https:\/\/manager\.example:8443\/d\/[2-9a-hjkmnp-z]{10}$/)
  expect(link.body.download).toMatch(/^https:\/\/manager\.example:8443\/bucket\//)
  expect((await harness.ask('GET', `/api/v1/media/${hash}/links`, undefined, 'a')).body.items).toHaveLength(1)
  const file = await harness.ask('GET', `/api/v1/media/${hash}/files/x.iso`, undefined, 'a')
  expect([file.status, file.headers.get('location')]).toEqual([302, expect.stringContaining('name=x.iso')])
  const sha256 = manifest.files.iso?.[0]?.sha256
  expect((await harness.ask('GET', `/api/v1/media/${hash}/files/${sha256}`, undefined, 'a')).status).toBe(302)
  const twice = await harness.ask('GET', `/api/v1/media/${hash}/files/README.md`, undefined, 'a')
  expect([twice.status, twice.body.detail]).toEqual([400, expect.stringContaining('several files are named "README.md"')])
  const missing = await harness.ask('POST', `/api/v1/media/${hash}/links`, { file: 'y.iso' }, 'a')
  expect([missing.status, missing.body.detail]).toEqual([404, 'there is no file among these media "y.iso"'])
  expect((await harness.ask('DELETE', `/api/v1/media/${hash}/links/${link.body.code}`, undefined, 'b')).status).toBe(404)
  expect((await harness.ask('DELETE', `/api/v1/media/${hash}/links/${link.body.code}`, undefined, 'a')).status).toBe(204)
})

test('media of one organisation do not exist for another', async () => {
  const { hash } = (await harness.ask('POST', '/api/v1/media', { url }, 'a')).body
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/signature'],
    ['GET', '/links'],
    ['GET', '/files/x.iso'],
    ['POST', '/cancel'],
    ['DELETE', ''],
  ] as const)
    expect((await harness.ask(method, `/api/v1/media/${hash}${path}`, undefined, 'b')).status, path).toBe(404)
  expect((await harness.ask('GET', '/api/v1/media', undefined, 'b')).body.items).toEqual([])
})

test('failed media tell why, and are made anew when asked for again', async () => {
  const { hash } = (await harness.ask('POST', '/api/v1/media', { url }, 'a')).body
  jobs.set(hash, { state: 'failed', error: 'package ipxe cannot be had' })
  expect((await harness.ask('GET', `/api/v1/media/${hash}`, undefined, 'a')).body.error).toBe('package ipxe cannot be had')
  expect((await harness.ask('POST', '/api/v1/media', { url }, 'a')).body.state).toBe('waiting')
  expect((await harness.ask('POST', `/api/v1/media/${hash}/cancel`, undefined, 'a')).status).toBe(204)
  expect((await harness.ask('GET', `/api/v1/media/${hash}`, undefined, 'a')).body.state).toBe('cancelled')
  expect((await harness.ask('DELETE', `/api/v1/media/${hash}`, undefined, 'a')).status).toBe(204)
  expect((await harness.ask('GET', '/api/v1/media', undefined, 'a')).body.items).toEqual([])
})

for (const { wrong, recipe, status = 400, field, says } of [
  { wrong: 'an unknown output', recipe: { url, outputs: ['floppy'] }, field: 'outputs[0]', says: '"iso"' },
  { wrong: 'an unknown option', recipe: { url, loader: { htps: true } }, field: 'loader.htps', says: 'is not known here' },
  { wrong: 'a script that is not for iPXE', recipe: { script: '#!/bin/sh\nreboot' }, field: 'script', says: 'expected #!ipxe' },
  { wrong: 'an oversized script', recipe: { script: `#!ipxe\n${'#'.repeat(70_000)}` }, field: 'script', says: 'at most 65536' },
  {
    wrong: 'https without HTTPS',
    recipe: { url: 'https://a.example/', loader: { https: false } },
    field: 'loader.https',
    says: 'needs HTTPS',
  },
  {
    wrong: 'a Pi without arm64',
    recipe: { url, outputs: ['pi'], architectures: ['x86_64'] },
    field: 'outputs[0]',
    says: 'expected "arm64"',
  },
  { wrong: 'an unknown site', recipe: { site: 'nowhere' }, status: 422, field: 'site', says: 'there is no site "nowhere"' },
  { wrong: 'a site without a LAN', recipe: { site: 'empty' }, field: 'site', says: 'has no LAN yet' },
])
  test(`${wrong} is refused, naming the field`, async () => {
    const answer = await harness.ask('POST', '/api/v1/media', recipe, 'a')
    expect([answer.status, answer.body.errors[0].field]).toEqual([status, field])
    expect(answer.body.errors[0].message).toContain(says)
    expect(jobs.all.size).toBe(0)
  })

test("another organisation's site is no site", async () => {
  expect((await harness.ask('POST', '/api/v1/media', { site: 'shop-7' }, 'b')).status).toBe(422)
})

test('a bundle of a site that has no state yet is not begun', async () => {
  const answer = await harness.ask('POST', '/api/v1/media', { site: 'shop-7', outputs: ['bundle'] }, 'a')
  expect([answer.status, answer.body.detail]).toEqual([503, 'the state of site shop-7 is not compiled yet; ask again'])
})

test('the API describes itself with these routes in it', async () => {
  const { status, body } = await harness.ask('GET', '/api/v1/openapi.json', undefined, 'a')
  expect(status).toBe(200)
  expect(Object.keys(body.paths)).toEqual(expect.arrayContaining(['/api/v1/media', '/api/v1/media/{hash}/links']))
})

async function finish(hash: string, { recipe, target, ways }: Pick<MediaManifest, 'recipe' | 'target' | 'ways'>): Promise<MediaManifest> {
  const ref = async (name: string) => ({ ...(await bucket.put(new TextEncoder().encode(name), { name })), name })
  const manifest: MediaManifest = {
    kind: 'media',
    ...{ hash, recipe, target, ways, script: '#!ipxe\n' },
    files: {
      iso: [await ref('x.iso')],
      pxe: [await ref('x-pxe.tar.gz'), await ref('README.md')],
      'secure-boot': [{ ...(await ref('another')), name: 'README.md' }],
    },
    parts: { ipxe: '1.21.1' },
    seconds: {},
  }
  await bucket.putDocument(mediaKey(hash), manifest)
  return manifest
}

function fakeJobs() {
  const all = new Map<string, JobStatus>()
  const set = (id: string, change: Partial<JobStatus>) => {
    const before = all.get(id)
    all.set(id, { id, name: 'media', state: 'waiting', fraction: 0, text: '', lines: ['a line'], createdAt: 0, ...before, ...change })
  }
  const fake: Pick<Jobs, 'defineJob' | 'enqueue' | 'status' | 'cancel' | 'follow'> = {
    defineJob: (name, schema) => ({ name, schema }),
    enqueue: async (kind, data, { id }) => {
      kind.schema.parse(JSON.parse(JSON.stringify(data)))
      all.delete(id)
      set(id, {})
      return id
    },
    status: async (id) => all.get(id),
    cancel: async (id) => {
      set(id, { state: 'cancelled' })
      return true
    },
    async *follow(id) {
      const status = all.get(id)
      if (status) yield status
    },
  }
  return { ...fake, all, set }
}
