import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../engines/apt/apt.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { createFilesystemBucket } from '../engines/bucket/filesystem.ts'
import { createPresigner } from '../engines/bucket/presign.ts'
import type { JobStatus, Jobs } from '../engines/jobs/jobs.ts'
import { type Harness, key, somebody, startHarness } from '../harness.ts'
import { buildLogKey, DEBIAN_SOURCES } from './build.ts'
import { registerBuilderJobs } from './jobs.ts'
import { type BuildManifest, BuildRequest, buildKey } from './model.ts'
import { builderRoutes } from './routes.ts'

const REQUEST = { builder: 'grub', targets: ['i386-pc/grub.pxe'] }
const signer = key()

let directory: string
let bucket: Bucket
let harness: Harness
let jobs: ReturnType<typeof fakeJobs>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  const clock = steppedClock(1_000)
  bucket = createFilesystemBucket({ directory: join(directory, 'bucket'), presigner: createPresigner(new Uint8Array(32)), clock })
  const apt: Apt = { archive: async () => ({ codename: 'trixie', parts: [] }), reach: async () => [], fingerprint: async () => '' }
  jobs = fakeJobs()
  const sources = DEBIAN_SOURCES
  const kinds = registerBuilderJobs(jobs, { bucket, apt, clock, log: silentLog, workDirectory: join(directory, 'work'), sources })
  harness = await startHarness({
    engines: { parts: [builderRoutes({ bucket, jobs, kinds, clock, sources, signingKey: () => signer })] },
  })
})
afterEach(async () => {
  await harness.close()
  await rm(directory, { recursive: true })
})
const ask = (method: string, path: string, body?: unknown, as: Parameters<Harness['ask']>[3] = 'a') =>
  harness.ask(method, `/api/v1${path}`, body, as)

test('a build is asked for, waited for, ready, and vouched for', async () => {
  const asked = await ask('POST', '/builds', REQUEST)
  expect([asked.status, asked.body.state, asked.body.request.prefix]).toEqual([202, 'waiting', '/boot/grub'])
  const { hash } = asked.body
  expect((await ask('POST', '/builds', { ...REQUEST, prefix: '/boot/grub' })).body.hash, 'the same wish').toBe(hash)
  expect([...jobs.all.keys()]).toEqual([hash])

  jobs.set(hash, { state: 'active', fraction: 0.3, text: '120 of 400 objects' })
  expect((await ask('GET', `/builds/${hash}`)).body).toMatchObject({ state: 'making', text: '120 of 400 objects', lines: ['a line'] })
  expect((await ask('GET', `/builds/${hash}/provenance`)).status).toBe(404)

  const manifest = await finish(hash)
  const ready = await ask('GET', `/builds/${hash}`)
  expect(ready.body).toMatchObject({ state: 'ready', manifest: { outputs: manifest.outputs, toolchain: { gcc: '4:14.2.0-1' } } })
  expect(ready.body.downloads['i386-pc/grub.pxe']).toMatch(/grub\.pxe/)
  expect((await ask('POST', '/builds', REQUEST)).status).toBe(200)

  const envelope = (await ask('GET', `/builds/${hash}/provenance`)).body
  expect(envelope.signatures[0].keyid).toBe(signer.kid)
  const statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString())
  expect(statement.subject).toEqual([{ name: 'i386-pc/grub.pxe', digest: { sha256: manifest.outputs[0]?.sha256 } }])
})

test('a build of one organisation does not exist for another', async () => {
  const { hash } = (await ask('POST', '/builds', REQUEST)).body
  for (const path of ['', '/log', '/provenance', '/progress'])
    expect((await ask('GET', `/builds/${hash}${path}`, undefined, 'b')).status).toBe(404)
  expect((await ask('POST', `/builds/${hash}/cancel`, undefined, 'b')).status).toBe(404)
  expect((await ask('GET', '/builds', undefined, 'b')).body.items).toEqual([])
})

test('who may only read builds starts none', async () => {
  const reader = somebody('a', ['builds:read'])
  expect((await ask('POST', '/builds', REQUEST, reader)).status).toBe(403)
  expect((await ask('GET', '/builds', undefined, reader)).status).toBe(200)
})

test('a failed build tells the first error and its whole log, and is built anew when asked for again', async () => {
  const { hash } = (await ask('POST', '/builds', REQUEST)).body
  jobs.set(hash, { state: 'failed', error: 'kern/a.c:3:1: error: oops' })
  const log = await bucket.put(gzipSync('gcc -c a.c\nkern/a.c:3:1: error: oops\n'), { name: 'build.log.gz' })
  await bucket.putDocument(buildLogKey(hash), { log: { ...log, name: 'build.log.gz' }, finishedAt: 1, error: 'x' })
  expect((await ask('GET', `/builds/${hash}`)).body).toMatchObject({ state: 'failed', error: 'kern/a.c:3:1: error: oops' })
  expect((await ask('GET', `/builds/${hash}/log`)).body).toBe('gcc -c a.c\nkern/a.c:3:1: error: oops\n')
  expect((await ask('POST', '/builds', REQUEST)).body.state).toBe('waiting')
  expect((await ask('GET', `/builds/${hash}/log`)).body, 'of the new try').toBe('a line\n')
})

test('cancelling stops the job; forgetting takes it off the list', async () => {
  const { hash } = (await ask('POST', '/builds', REQUEST)).body
  expect((await ask('POST', `/builds/${hash}/cancel`)).status).toBe(204)
  expect((await ask('GET', `/builds/${hash}`)).body.state).toBe('cancelled')
  expect((await ask('DELETE', `/builds/${hash}`)).status).toBe(204)
  expect((await ask('GET', '/builds')).body.items).toEqual([])
})

for (const { wrong, body, field } of [
  { wrong: 'an unknown target', body: { builder: 'grub', targets: ['vax/core.img'] }, field: 'targets[0]' },
  { wrong: 'an unknown field', body: { ...REQUEST, modul: [] }, field: 'modul' },
  { wrong: 'a script that is not iPXE', body: { builder: 'ipxe', targets: ['bin/ipxe.lkrn'], script: '#!/bin/sh\n' }, field: 'script' },
  { wrong: 'a directory of the manager', body: { ...REQUEST, source: { kind: 'directory', path: '/etc' } }, field: 'source.kind' },
])
  test(`${wrong} is refused, naming the field`, async () => {
    const answer = await ask('POST', '/builds', body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0].field).toBe(field)
    expect(jobs.all.size).toBe(0)
  })

test('a tarball is uploaded as it is, and by no other way', async () => {
  await ask('GET', '/builds') // who asks next
  const upload = (type: string, body: Uint8Array<ArrayBuffer> | undefined) =>
    harness.manager.app.request('/api/v1/sources?name=my ipxe~2.tar.gz', {
      method: 'POST',
      headers: { 'content-type': type },
      ...(body ? { body } : {}),
    })
  const bytes = new Uint8Array(2 * 1_048_576) // more than a JSON body may have
  const stored = await upload('application/octet-stream', bytes)
  expect(stored.status).toBe(201)
  const ref = (await stored.json()) as { sha256: string }
  expect(ref).toMatchObject({ bytes: bytes.length, name: 'my-ipxe-2.tar.gz' })
  expect(await bucket.head(ref.sha256)).toMatchObject({ bytes: bytes.length })
  expect((await upload('application/json', bytes)).status).toBe(415)
  expect((await upload('text/plain', bytes)).status, 'as a foreign page could').toBe(415)
  expect((await upload('application/octet-stream', undefined)).status).toBe(400)
})

async function finish(hash: string): Promise<BuildManifest> {
  const stored = await bucket.put(new TextEncoder().encode('loader'), { name: 'grub.pxe' })
  const manifest: BuildManifest = {
    kind: 'build',
    hash,
    request: BuildRequest.parse(REQUEST),
    source: {
      kind: 'debian',
      name: 'grub2',
      version: '2.12-9',
      files: [{ ...stored, name: 'grub2_2.12-9.dsc' }],
      from: 'http://mirror.example/',
    },
    outputs: [{ ...stored, name: 'i386-pc/grub.pxe' }],
    toolchain: { gcc: '4:14.2.0-1' },
    startedAt: 1_000,
    finishedAt: 2_000,
    seconds: 1,
  }
  await bucket.putDocument(buildKey(hash), manifest)
  return manifest
}

function fakeJobs() {
  const all = new Map<string, JobStatus>()
  const set = (id: string, change: Partial<JobStatus>) => {
    const before = all.get(id)
    all.set(id, { id, name: 'build', state: 'waiting', fraction: 0, text: '', lines: ['a line'], createdAt: 0, ...before, ...change })
  }
  const fake: Pick<Jobs, 'defineJob' | 'enqueue' | 'status' | 'cancel' | 'follow'> = {
    defineJob: (name, schema) => ({ name, schema }),
    enqueue: async (kind, data, { id }) => {
      kind.schema.parse(data)
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
