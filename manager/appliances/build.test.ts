import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@bridgehead/shared/log.ts'
import { imageDocument } from '@bridgehead/shared/model/appliance-image.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import { type FakeJobs, fakeJobs } from '../engines/jobs/fake-jobs.ts'
import type { JobContext } from '../engines/jobs/jobs.ts'
import { type Harness, startHarness } from '../harness.ts'
import { type ImageBuilder, registerApplianceJobs } from './jobs.ts'
import { putTestImage } from './test-image.ts'

let h: Harness
let bucket: Bucket
let jobs: FakeJobs
let directory: string
/** The handler of a kind, as a worker has it. */
const handlers = new Map<string, (data: unknown, context: JobContext) => Promise<void>>()
const HASH = 'b'.repeat(64)
const Recipe = z.strictObject({ board: z.enum(['x86_64', 'rpi']), dev: z.boolean().default(false) })
type Recipe = z.infer<typeof Recipe>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  bucket = testBucket(directory)
  jobs = fakeJobs()
  const builder: ImageBuilder<Recipe> = {
    request: Recipe,
    hashOf: async () => HASH,
    async build(_, context) {
      await context.progress(0.5, 'half')
      const { manifest } = await putTestImage(bucket, { hash: HASH })
      await bucket.putDocument(imageDocument(HASH), manifest)
      return manifest
    },
  }
  const clock = { now: () => 0, after: () => () => {}, every: () => () => {}, sleep: async () => {} }
  const kinds = registerApplianceJobs<Recipe>(
    {
      defineJob: (name, schema, handler, { queue } = {}) => {
        handlers.set(name, (data, context) => handler(schema.parse(data), context))
        return { name, schema, queue }
      },
    },
    { bucket, builder, clock, log: silentLog },
  )
  h = await startHarness({ engines: { images: { bucket, jobs, kinds, builder, ticketKey: new Uint8Array(32) } } })
})
afterEach(async () => {
  await h.close()
  await rm(directory, { recursive: true })
})

async function work(name: string, data: unknown): Promise<[number, string][]> {
  const told: [number, string][] = []
  const context: JobContext = {
    id: 'job',
    progress: async (fraction, text) => void told.push([fraction, text]),
    log: async () => {},
    signal: new AbortController().signal,
  }
  await handlers.get(name)?.(data, context)
  return told
}

test('an image is asked for once, built as a job, compressed by the same job, and known to everybody afterwards', async () => {
  const asked = await h.ask('POST', '/appliance-images', { board: 'x86_64' })
  expect([asked.status, asked.body]).toEqual([
    202,
    expect.objectContaining({ hash: HASH, state: 'waiting', recipe: { board: 'x86_64', dev: false } }),
  ])
  expect(jobs.all.get(HASH)?.name).toBe('appliance-image')
  expect((await h.ask('GET', '/appliance-images')).body.items).toHaveLength(1)
  expect((await h.ask('GET', '/appliance-images', undefined, 'other')).body.items).toEqual([]) // nobody else asked, and it is not there
  const told = await work('appliance-image', { board: 'x86_64' })
  expect(told[0]).toEqual([0.35, 'half'])
  expect(told.at(-1)).toEqual([1, 'ready'])
  expect(told.map(([fraction]) => fraction)).toEqual(told.map(([fraction]) => fraction).sort((a, b) => a - b))

  const ready = await h.ask('POST', '/appliance-images', { board: 'x86_64' })
  expect([ready.status, ready.body]).toEqual([
    200,
    expect.objectContaining({ state: 'ready', board: 'x86_64', version: '1.0.0', formats: ['img', 'img.zst', 'img.gz', 'img.xz'] }),
  ])
  expect(ready.body.manifest.packages).toBeUndefined()
  expect((await h.ask('GET', `/appliance-images/${HASH}`, undefined, 'other')).body).toMatchObject({ state: 'ready', requestedAt: 0 })
})

test('what is inside an image can be fetched: its components and their licences', async () => {
  const { manifest } = await putTestImage(bucket, { hash: HASH })
  await bucket.putDocument(imageDocument(HASH), manifest)
  for (const file of ['sbom', 'licences'] as const) {
    const { status, headers } = await h.ask('GET', `/appliance-images/${HASH}/files/${file}`)
    expect([status, headers.get('location')]).toEqual([302, expect.stringContaining(manifest[file].sha256)])
  }
  expect((await h.ask('GET', `/appliance-images/${HASH}/files/slot`)).status).toBe(400)
  expect((await h.ask('GET', `/appliance-images/${'c'.repeat(64)}/files/sbom`)).status).toBe(404)
})

test('a job that is run again finds what is there, and makes only what is missing', async () => {
  await work('appliance-image', { board: 'x86_64' })
  const { manifest } = await putTestImage(bucket, { hash: HASH })
  expect((await work('appliance-frames', manifest)).map(([, text]) => text)).toEqual(['ready'])
})

test('a recipe that is none is refused, and names the field', async () => {
  const refused = await h.ask('POST', '/appliance-images', { board: 'toaster' })
  expect([refused.status, refused.body.errors[0].field]).toEqual([400, 'board'])
})
