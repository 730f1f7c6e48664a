import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../engines/apt/apt.ts'
import { ArchiveError } from '../engines/apt/archive.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { createFilesystemBucket } from '../engines/bucket/filesystem.ts'
import { createPresigner } from '../engines/bucket/presign.ts'
import type { JobStatus, Jobs } from '../engines/jobs/jobs.ts'
import { type Harness, startHarness } from '../harness.ts'
import { registerPackagerJobs } from './jobs.ts'
import { type HostImageManifest, HostImageRecipe, manifestKey } from './recipe.ts'
import { packagerRoutes } from './routes.ts'

let directory: string
let bucket: Bucket
let harness: Harness
let jobs: ReturnType<typeof fakeJobs>
let archive: () => Promise<Awaited<ReturnType<Apt['archive']>>>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  const clock = steppedClock(1_000)
  bucket = createFilesystemBucket({ directory: join(directory, 'bucket'), presigner: createPresigner(new Uint8Array(32)), clock })
  archive = async () => ({ codename: 'trixie', parts: [] })
  const apt: Apt = { archive: () => archive(), reach: async () => [], fingerprint: async () => '' }
  jobs = fakeJobs()
  const workDirectory = join(directory, 'work')
  const kinds = registerPackagerJobs(jobs, { bucket, apt, clock, log: silentLog, workDirectory })
  harness = await startHarness({
    engines: {
      artifactBytes: async (sha256) => (await bucket.head(sha256))?.bytes,
      parts: [packagerRoutes({ bucket, apt, jobs, kinds, clock, workDirectory })],
    },
  })
})
afterEach(async () => {
  await harness.close()
  await rm(directory, { recursive: true })
})

test('an image is asked for, waited for, ready, and makes a profile', async () => {
  const asked = await harness.ask('POST', '/api/v1/images', { kernel: 'cloud' }, 'a')
  expect(asked.status).toBe(202)
  expect(asked.body).toMatchObject({ state: 'waiting', recipe: { suite: 'trixie', kernel: 'cloud' } })
  const { hash } = asked.body
  expect((await harness.ask('POST', '/api/v1/images', {}, 'a')).body.hash, 'the same wish').toBe(hash)
  expect([...jobs.all.keys()]).toEqual([hash])

  jobs.set(hash, { state: 'active', fraction: 0.3, text: 'installing' })
  expect((await harness.ask('GET', `/api/v1/images/${hash}`, undefined, 'a')).body).toMatchObject({
    state: 'making',
    fraction: 0.3,
    text: 'installing',
    lines: ['a line'],
  })
  const manifest = await finish(hash)
  const ready = await harness.ask('GET', '/api/v1/images', undefined, 'a')
  expect(ready.body.items).toMatchObject([{ hash, state: 'ready', target: { image: manifest.image, imageBytes: 10 } }])
  expect((await harness.ask('POST', '/api/v1/images', {}, 'a')).status).toBe(200)

  const { target } = ready.body.items[0]
  const profile = await harness.ask('POST', '/api/v1/profiles', { name: 'debian', targets: { x86_64: target } }, 'a')
  expect([profile.status, profile.body.targets?.x86_64]).toEqual([201, target])
})

test('an image of one organisation does not exist for another', async () => {
  const { hash } = (await harness.ask('POST', '/api/v1/images', {}, 'a')).body
  expect((await harness.ask('GET', `/api/v1/images/${hash}`, undefined, 'b')).status).toBe(404)
  expect((await harness.ask('POST', `/api/v1/images/${hash}/cancel`, undefined, 'b')).status).toBe(404)
  expect((await harness.ask('GET', '/api/v1/images', undefined, 'b')).body.items).toEqual([])
})

test('a failed image tells why, and is made anew when asked for again', async () => {
  const { hash } = (await harness.ask('POST', '/api/v1/images', {}, 'a')).body
  jobs.set(hash, { state: 'failed', error: 'no such package' })
  expect((await harness.ask('GET', `/api/v1/images/${hash}`, undefined, 'a')).body).toMatchObject({
    state: 'failed',
    error: 'no such package',
  })
  expect((await harness.ask('POST', '/api/v1/images', {}, 'a')).body.state).toBe('waiting')
  jobs.all.delete(hash)
  expect((await harness.ask('GET', `/api/v1/images/${hash}`, undefined, 'a')).body.error).toMatch(/lost/)
})

test('cancelling stops the job; forgetting takes it off the list', async () => {
  const { hash } = (await harness.ask('POST', '/api/v1/images', {}, 'a')).body
  expect((await harness.ask('POST', `/api/v1/images/${hash}/cancel`, undefined, 'a')).status).toBe(204)
  expect((await harness.ask('GET', `/api/v1/images/${hash}`, undefined, 'a')).body.state).toBe('cancelled')
  expect((await harness.ask('DELETE', `/api/v1/images/${hash}`, undefined, 'a')).status).toBe(204)
  expect((await harness.ask('GET', '/api/v1/images', undefined, 'a')).body.items).toEqual([])
})

test('whoever follows an image hears of it at least once, with or without a job', async () => {
  const { hash } = (await harness.ask('POST', '/api/v1/images', {}, 'a')).body
  const follow = async () => (await harness.ask('GET', `/api/v1/images/${hash}/progress`, undefined, 'a')).body
  expect(await follow()).toMatch(/^event: image\ndata: \{.*"state":"waiting".*\}\n\n$/)
  await finish(hash)
  jobs.all.delete(hash)
  expect(await follow()).toMatch(/^event: image\ndata: \{.*"state":"ready".*\}\n\n$/)
  expect((await harness.ask('GET', `/api/v1/images/${hash}/progress`, undefined, 'b')).status).toBe(404)
})

for (const { wrong, body, field } of [
  { wrong: 'an architecture that cannot be made here', body: { architecture: 'arm64' }, field: 'architecture' },
  { wrong: 'an unknown field', body: { kernl: 'cloud' }, field: 'kernl' },
  { wrong: 'something that is not a package', body: { packages: ['a b'] }, field: 'packages[0]' },
])
  test(`${wrong} is refused, naming the field`, async () => {
    const answer = await harness.ask('POST', '/api/v1/images', body, 'a')
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0].field).toBe(field)
    expect(jobs.all.size).toBe(0)
  })

test('a machine whose apt knows no Debian says so', async () => {
  archive = () => Promise.reject(new ArchiveError('apt on this machine knows no Debian archive'))
  const answer = await harness.ask('POST', '/api/v1/images', {}, 'a')
  expect([answer.status, answer.body.detail]).toEqual([503, 'apt on this machine knows no Debian archive'])
})

async function finish(hash: string): Promise<HostImageManifest> {
  const ref = async (name: string) => ({ ...(await bucket.put(new TextEncoder().encode(name), { name })), name })
  const manifest: HostImageManifest = {
    kind: 'host-image',
    hash,
    recipe: { ...HostImageRecipe.parse({}), suite: 'trixie' },
    image: await ref('disk'),
    imageBytes: 10,
    kernel: await ref('vmlinuz'),
    initrd: await ref('initrd'),
    kernelVersion: '6',
    packages: { bash: '5' },
    seconds: {},
  }
  await bucket.putDocument(manifestKey(hash), manifest)
  return manifest
}

function fakeJobs() {
  const all = new Map<string, JobStatus>()
  const set = (id: string, change: Partial<JobStatus>) => {
    const before = all.get(id)
    all.set(id, { id, name: 'host-image', state: 'waiting', fraction: 0, text: '', lines: ['a line'], createdAt: 0, ...before, ...change })
  }
  const fake: Pick<Jobs, 'defineJob' | 'enqueue' | 'status' | 'cancel' | 'follow'> = {
    defineJob: (name, schema) => ({ name, schema }),
    enqueue: async (_kind, _data, { id }) => {
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
