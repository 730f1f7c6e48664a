import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seeded } from './lossy-relay.ts'

// A real process that downloads an artifact is killed (-9) at random points until it is done.

const BYTES = randomBytes(6_000_000)
const SHA256 = createHash('sha256').update(BYTES).digest('hex')
const PIECE = 100_000
let directory = ''
let bucket: Server

/** About 6 MB/s, so that a download lasts about a second. */
async function* slowly(from: number) {
  for (let at = from; at < BYTES.length; at += PIECE) {
    yield BYTES.subarray(at, at + PIECE)
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cache-kill-'))
  bucket = createServer((request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const range = from > 0 ? { 'Content-Range': `bytes ${from}-${BYTES.length - 1}/${BYTES.length}` } : {}
    response.writeHead(from > 0 ? 206 : 200, { 'Content-Length': BYTES.length - from, ...range })
    const body = Readable.from(slowly(from))
    response.on('close', () => body.destroy())
    body.pipe(response)
  })
  await new Promise<void>((resolve) => bucket.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  bucket.closeAllConnections()
  bucket.close()
  await rm(directory, { recursive: true })
})

/** Runs the process and kills it `afterMs` after it started; true when it was ready before that. */
async function run(afterMs: number): Promise<boolean> {
  const bound = bucket.address()
  const url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`
  const script = fileURLToPath(new URL('cache-process.ts', import.meta.url))
  const child = execa(process.execPath, [script, directory, url, SHA256, String(BYTES.length)], { reject: false })
  let timer: NodeJS.Timeout | undefined
  child.stdout.on('data', (text: Buffer) => {
    if (text.includes('started')) timer = setTimeout(() => child.kill('SIGKILL'), afterMs)
  })
  const { stdout, stderr, exitCode } = await child
  clearTimeout(timer)
  if (exitCode !== 0 && exitCode !== undefined) throw new Error(stderr)
  return stdout.includes('ready')
}

test('a download that is killed again and again ends whole, recorded and told once', async () => {
  const random = seeded(2211)
  let kills = 0
  while (!(await run(20 + random() * 180))) kills++
  expect(kills).toBeGreaterThanOrEqual(5) // no run lives long enough for the whole: each went on where the last one died
  expect(await run(60_000)).toBe(true) // once more, in peace
  const cached = join(directory, 'artifacts')
  expect(await readdir(cached)).toEqual([SHA256])
  expect((await readFile(join(cached, SHA256))).equals(BYTES)).toBe(true)
  const store = openStore(join(directory, 'store.sqlite'))
  const kinds = store.db.prepare<[], { event: string }>('SELECT event FROM outbox').all()
  expect(kinds.map(({ event }) => JSON.parse(event).kind)).toEqual(['artifact.ready'])
  expect(store.db.prepare('SELECT sha256, bytes FROM artifacts').all()).toEqual([{ sha256: SHA256, bytes: BYTES.length }])
  store.close()
})
