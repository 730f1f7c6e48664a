import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { createOutbox } from '../../store/outbox.ts'
import { openStore } from '../../store/store.ts'
import { type ArtifactCache, createArtifactCache } from './cache.ts'
import type { ArtifactSource } from './fetch.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => void

/** Runs fifty times as fast, so that back-offs take no time here. */
const clock: Clock = {
  ...systemClock,
  now: () => systemClock.now() * 50,
  every: (ms, task) => systemClock.every(ms / 50, task),
}
export const BIG = randomBytes(900_000)
export const SMALL = randomBytes(10)
export const refOf = (bytes: Buffer, name = 'file.bin'): ArtifactRef => ({
  sha256: createHash('sha256').update(bytes).digest('hex'),
  bytes: bytes.length,
  name,
})

/** For tests: a cache in a directory of its own, and a server that has BIG and SMALL and answers as the test says. */
export interface CacheRig {
  readonly directory: string
  cache: ArtifactCache
  /** Where the cache shall ask; `undefined`: no uplink. */
  source: ArtifactSource | undefined
  /** What the server does with a request for something that it has; `serve` unless told. */
  handle: Handler
  readonly contents: Map<string, Buffer>
  /** What the server was asked. */
  readonly asked: { range: string | undefined; auth: string | undefined; path: string }[]
  /** As a new process would. */
  open(reserveBytes?: number): ArtifactCache
  events(): { kind: string; [field: string]: unknown }[]
  close(): Promise<void>
}

export async function cacheRig(): Promise<CacheRig> {
  const directory = await mkdtemp(join(tmpdir(), 'cache-'))
  const store = openStore(':memory:')
  const contents = new Map([BIG, SMALL].map((bytes) => [refOf(bytes).sha256, bytes]))
  const asked: CacheRig['asked'] = []
  const bucket = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push({ range: request.headers.range, auth: request.headers.authorization, path })
    const bytes = contents.get(path.split('/').at(-1) ?? '')
    if (bytes) rig.handle(request, response, bytes)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => bucket.listen(0, '127.0.0.1', resolve))
  const bound = bucket.address()
  const base = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`
  let count = 0
  const outbox = () => createOutbox(store.db, { clock, newId: () => `${count++}` })
  const source = () => rig.source
  const open = (reserveBytes = 0) =>
    createArtifactCache({ store, outbox: outbox(), clock, log: silentLog, random: () => 0, directory, source, reserveBytes })
  const rig: CacheRig = {
    ...{ directory, contents, asked, open },
    cache: open(),
    source: { url: `${base}/artifacts`, user: 'site', password: 'secret' },
    handle: serve,
    events: () =>
      store.db
        .prepare('SELECT event FROM outbox ORDER BY seq')
        .all()
        .map((row) => JSON.parse((row as { event: string }).event))
        .map(({ kind, data }) => ({ kind, ...data })),
    async close() {
      await rig.cache.stop()
      store.close()
      bucket.closeAllConnections()
      bucket.close()
      await rm(directory, { recursive: true })
    },
  }
  return rig
}

/** With ranges, as the manager's bucket does it. */
export const serve: Handler = (request, response, bytes) => {
  const from = startOf(request)
  const rest = bytes.subarray(from)
  response.writeHead(from > 0 ? 206 : 200, {
    'Content-Length': rest.length,
    ...(from > 0 ? { 'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
  })
  response.end(rest)
}

/** Sends the first `length` bytes of what is asked, then breaks the connection. */
export const breakAfter =
  (length: number): Handler =>
  (request, response, bytes) => {
    const from = startOf(request)
    response.writeHead(from > 0 ? 206 : 200, { 'Content-Length': bytes.length - from, 'Content-Range': `bytes ${from}-/` })
    response.write(bytes.subarray(from, from + length), () => response.socket?.end()) // a reset could overtake what is still under way
  }

const startOf = (request: IncomingMessage) => Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
