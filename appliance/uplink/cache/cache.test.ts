import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox } from '../../store/outbox.ts'
import { openStore, type Store } from '../../store/store.ts'
import { type ArtifactCache, createArtifactCache } from './cache.ts'
import type { ArtifactSource } from './fetch.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => void

/** Runs fifty times as fast, so that back-offs take no time here. */
const clock: Clock = {
  ...systemClock,
  now: () => systemClock.now() * 50,
  every: (ms, task) => systemClock.every(ms / 50, task),
}
const BIG = randomBytes(900_000)
const SMALL = randomBytes(10)
const refOf = (bytes: Buffer, name = 'file.bin'): ArtifactRef => ({
  sha256: createHash('sha256').update(bytes).digest('hex'),
  bytes: bytes.length,
  name,
})

let directory = ''
let store: Store
let cache: ArtifactCache
let bucket: Server
let asked: { range: string | undefined; auth: string | undefined; path: string }[]
let handle: Handler
let source: ArtifactSource | undefined
const contents = new Map<string, Buffer>()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cache-'))
  store = openStore(':memory:')
  asked = []
  handle = serve
  for (const bytes of [BIG, SMALL]) contents.set(refOf(bytes).sha256, bytes)
  bucket = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push({ range: request.headers.range, auth: request.headers.authorization, path })
    const bytes = contents.get(path.split('/').at(-1) ?? '')
    if (bytes) handle(request, response, bytes)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => bucket.listen(0, '127.0.0.1', resolve))
  source = { url: `${base()}/artifacts`, user: 'site', password: 'secret' }
  cache = open()
})
afterEach(async () => {
  await cache.stop()
  store.close()
  bucket.closeAllConnections()
  bucket.close()
  await rm(directory, { recursive: true })
})

const base = () => {
  const bound = bucket.address()
  return `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`
}
const open = (reserveBytes = 0) =>
  createArtifactCache({
    store,
    outbox: createOutbox(store.db, { clock, newId: () => `${count++}` }),
    clock,
    log: silentLog,
    random: () => 0,
    directory,
    source: () => source,
    reserveBytes,
  })
let count = 0
const serve: Handler = (request, response, bytes) => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const rest = bytes.subarray(from)
  response.writeHead(from > 0 ? 206 : 200, {
    'Content-Length': rest.length,
    ...(from > 0 ? { 'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
  })
  response.end(rest)
}
/** Sends the first `length` bytes of what is asked, then breaks the connection. */
const breakAfter =
  (length: number): Handler =>
  (request, response, bytes) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    response.writeHead(from > 0 ? 206 : 200, { 'Content-Length': bytes.length - from, 'Content-Range': `bytes ${from}-/` })
    response.write(bytes.subarray(from, from + length), () => response.socket?.end()) // a reset could overtake what is still under way
  }
const events = () =>
  store.db
    .prepare('SELECT event FROM outbox ORDER BY seq')
    .all()
    .map((row) => JSON.parse((row as { event: string }).event))
    .map(({ kind, data }) => ({ kind, ...data }))

test('an artifact comes, is checked, recorded and told', async () => {
  const ref = refOf(BIG, 'disk.raw.zst')
  await cache.start()
  cache.want([ref])
  expect(cache.path(ref.sha256)).toBeUndefined()
  const path = await cache.ensure(ref.sha256)
  expect((await readFile(path)).equals(BIG)).toBe(true)
  expect(cache.path(ref.sha256)).toBe(path)
  expect(cache.file(ref.sha256)).toEqual({ path, size: BIG.length, sha256: ref.sha256 })
  expect(events()).toMatchObject([{ kind: 'artifact.ready', sha256: ref.sha256, name: 'disk.raw.zst', bytes: BIG.length }])
  expect(cache.status()).toMatchObject([{ state: 'ready', have: BIG.length }])
  expect(await readdir(directory)).toEqual([ref.sha256])
})

test('a broken connection is taken up where it broke', async () => {
  const ref = refOf(BIG)
  handle = breakAfter(300_000)
  await cache.start()
  cache.want([ref])
  await cache.ensure(ref.sha256)
  const starts = asked.map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]))
  expect(starts[0]).toBe(0)
  expect(starts.length).toBeGreaterThanOrEqual(3)
  // What Node had received but not handed over when the connection broke is asked for again: at most its buffers, never from the start.
  for (const [index, start] of starts.entries())
    if (index > 0) expect(start - (starts[index - 1] ?? 0)).toSatisfy((step: number) => step > 100_000 && step <= 300_000)
})

test('a new process goes on from what the last one left', async () => {
  const ref = refOf(BIG)
  await writeFile(join(directory, `${ref.sha256}.part`), BIG.subarray(0, 500_000))
  await cache.start()
  cache.want([ref])
  await cache.ensure(ref.sha256)
  expect(asked).toMatchObject([{ range: 'bytes=500000-' }])
})

for (const { what, left, name, requests } of [
  { what: 'a whole part that was not renamed', left: BIG, name: '.part', requests: 0 },
  { what: 'a renamed file that was not recorded', left: BIG, name: '', requests: 0 },
  { what: 'an empty part', left: Buffer.alloc(0), name: '.part', requests: 1 },
  { what: 'a part with wrong bytes, as after a power cut', left: Buffer.alloc(500_000), name: '.part', requests: 2 },
  { what: 'a whole part with wrong bytes', left: Buffer.alloc(BIG.length), name: '.part', requests: 1 },
  { what: 'a part that is too long', left: Buffer.alloc(BIG.length + 1), name: '.part', requests: 1 },
  { what: 'a renamed file with wrong bytes', left: Buffer.alloc(BIG.length), name: '', requests: 1 },
])
  test(`${what} ends well, told once, after ${requests} requests`, async () => {
    const ref = refOf(BIG)
    await writeFile(join(directory, ref.sha256 + name), left)
    await cache.start()
    cache.want([ref])
    expect((await readFile(await cache.ensure(ref.sha256))).equals(BIG)).toBe(true)
    expect(asked.length).toBe(requests)
    expect(events().map(({ kind }) => kind)).toEqual(['artifact.ready'])
  })

test('a server that ignores ranges is read from the start', async () => {
  const ref = refOf(BIG)
  await writeFile(join(directory, `${ref.sha256}.part`), BIG.subarray(0, 500_000))
  handle = (_request, response, bytes) => void response.end(bytes)
  await cache.start()
  cache.want([ref])
  expect((await readFile(await cache.ensure(ref.sha256))).equals(BIG)).toBe(true)
})

for (const { what, bytes, why } of [
  { what: 'other bytes of the same length', bytes: randomBytes(BIG.length), why: /another sha256/ },
  { what: 'more bytes', bytes: Buffer.concat([BIG, SMALL]), why: /more than the promised/ },
  { what: 'fewer bytes', bytes: BIG.subarray(1), why: /instead of the promised/ },
])
  test(`${what} are deleted and refused, told once, and tried again`, async () => {
    const ref = refOf(BIG)
    handle = (_request, response) => void response.end(bytes)
    await cache.start()
    cache.want([ref])
    await expect.poll(() => asked.length, { timeout: 4000 }).toBeGreaterThanOrEqual(2)
    await expect.poll(() => cache.status()[0]?.state).toBe('waiting')
    expect(events()).toMatchObject([{ kind: 'artifact.refused', sha256: ref.sha256, why: expect.stringMatching(why) }])
    await expect.poll(() => readdir(directory)).toEqual([])
    handle = serve
    await cache.ensure(ref.sha256)
    expect(events().at(-1)).toMatchObject({ kind: 'artifact.ready' })
  })

test('redirects are followed, and the password goes to the first address alone', async () => {
  const ref = refOf(BIG)
  handle = (request, response, bytes) =>
    request.url?.startsWith('/bucket')
      ? serve(request, response, bytes)
      : response.writeHead(302, { Location: `/bucket/${ref.sha256}` }).end('moved')
  await writeFile(join(directory, `${ref.sha256}.part`), BIG.subarray(0, 7))
  await cache.start()
  cache.want([ref])
  await cache.ensure(ref.sha256)
  expect(asked).toEqual([
    { path: `/artifacts/${ref.sha256}`, range: 'bytes=7-', auth: `Basic ${Buffer.from('site:secret').toString('base64')}` },
    { path: `/bucket/${ref.sha256}`, range: 'bytes=7-', auth: undefined },
  ])
})

for (const { what, reply, why } of [
  {
    what: 'a redirect circle',
    reply: (response: ServerResponse) => response.writeHead(302, { Location: '#again' }).end(),
    why: /redirects/,
  },
  {
    what: 'a redirect to a file',
    reply: (response: ServerResponse) => response.writeHead(302, { Location: 'file:///etc/passwd' }).end(),
    why: /file: URL/,
  },
  { what: 'a wrong secret', reply: (response: ServerResponse) => response.writeHead(401).end(), why: /refuses this site/ },
  { what: 'a missing artifact', reply: (response: ServerResponse) => response.writeHead(404).end(), why: /does not have it/ },
  { what: 'a broken server', reply: (response: ServerResponse) => response.writeHead(500).end(), why: /answers 500/ },
])
  test(`${what} is a reason in the status, and tried again`, async () => {
    handle = (_request, response) => void reply(response)
    await cache.start()
    cache.want([refOf(SMALL)])
    await expect.poll(() => cache.status()[0]?.why).toMatch(why)
    handle = serve
    await expect.poll(() => cache.status()[0]?.state, { timeout: 5000 }).toBe('ready')
    expect(events().length).toBe(1)
  })

test('without an uplink nothing is asked; what is here is served; it goes on when one appears', async () => {
  source = undefined
  await cache.start()
  cache.want([refOf(SMALL)])
  const arrived = cache.ensure(refOf(SMALL).sha256)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(asked).toEqual([])
  source = { url: `${base()}/artifacts`, user: 'site', password: 'secret' }
  await arrived
})

test('two at a time, small ones first, urgent ones before all', async () => {
  const many = Array.from({ length: 5 }, (_, at) => randomBytes(1000 * (at + 1)))
  for (const bytes of many) contents.set(refOf(bytes).sha256, bytes)
  const held: (() => void)[] = []
  handle = (request, response, bytes) => void held.push(() => serve(request, response, bytes))
  await cache.start()
  cache.want(many.map((bytes) => refOf(bytes)).reverse())
  const last = cache.ensure(refOf(many[4] as Buffer).sha256)
  await expect.poll(() => held.length).toBe(2)
  expect(
    cache
      .status()
      .filter(({ state }) => state === 'downloading')
      .map(({ bytes }) => bytes),
  ).toEqual([2000, 1000])
  held.shift()?.()
  await expect.poll(() => asked.length).toBe(3)
  expect(asked[2]?.path).toContain(refOf(many[4] as Buffer).sha256)
  handle = serve
  for (const release of held) release()
  await last
})

test('what is no longer wanted stops, and what waits for it is told', async () => {
  const ref = refOf(BIG)
  handle = (_request, response) => void response.write('x')
  await cache.start()
  cache.want([ref])
  const waiting = cache.ensure(ref.sha256)
  cache.want([])
  await expect(waiting).rejects.toMatchObject({ code: 'artifact_not_wanted' })
  await expect(cache.ensure(ref.sha256)).rejects.toMatchObject({ code: 'artifact_not_wanted' })
  cache.want([ref]) // again, while the first run is still ending: one writer at a time
  handle = serve
  expect((await readFile(await cache.ensure(ref.sha256))).equals(BIG)).toBe(true)
})

test('a cold start knows what it has, forgets what is gone, and asks nobody', async () => {
  const [big, small] = [refOf(BIG), refOf(SMALL)]
  await cache.start()
  cache.want([big, small])
  await Promise.all([cache.ensure(big.sha256), cache.ensure(small.sha256)])
  await cache.stop()
  await truncate(join(directory, big.sha256), 5)
  source = undefined
  cache = open()
  await cache.start()
  expect(cache.path(small.sha256)).toBe(join(directory, small.sha256))
  expect(cache.path(big.sha256)).toBeUndefined()
})

test('a full disk: what is not wanted goes, what is wanted stays, and the reason is told once', async () => {
  await cache.start()
  cache.want([refOf(BIG)])
  await cache.ensure(refOf(BIG).sha256)
  await cache.stop()
  cache = open(2 ** 60) // as if the disk had no room at all
  await cache.start()
  cache.want([refOf(SMALL)])
  await expect.poll(() => cache.status()[0]?.why).toMatch(/no room/)
  expect(events().at(-1)).toMatchObject({ kind: 'artifact.refused', why: expect.stringMatching(/no room/) })
  expect((await stat(join(directory, refOf(BIG).sha256))).size).toBe(BIG.length) // removing it would not have helped
})

test('a file that came by another way is moved in and told, and ends the download of the same', async () => {
  handle = () => undefined // never answers
  const ref = refOf(BIG)
  await cache.start()
  cache.want([ref])
  const waiting = cache.ensure(ref.sha256)
  while (asked.length === 0) await systemClock.sleep(5)
  const from = join(directory, 'brought')
  await writeFile(from, BIG)
  await cache.admit(ref, from)
  expect(await waiting).toBe(cache.path(ref.sha256))
  expect(await readdir(directory)).toEqual([ref.sha256])
  expect(events().map(({ kind }) => kind)).toEqual(['artifact.ready'])
  await cache.admit(ref, from) // again, as after a crash
  expect(events().map(({ kind }) => kind)).toEqual(['artifact.ready'])
})

test('a crash between moving and recording is made good; a file that is nowhere is not taken for one that is here', async () => {
  const ref = refOf(SMALL)
  await cache.start()
  await writeFile(join(directory, ref.sha256), SMALL)
  await cache.admit(ref, join(directory, 'gone'))
  expect(cache.path(ref.sha256)).toBeDefined()
  await expect(cache.admit(refOf(BIG), join(directory, 'gone'))).rejects.toThrow('is neither at')
  expect(cache.path(refOf(BIG).sha256)).toBeUndefined()
})
