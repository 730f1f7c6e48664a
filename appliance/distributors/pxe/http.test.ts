import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBootHttp } from './http.ts'
import type { LanAnswer, LanFile, LanRequest, LanTransfer } from './lan-http.ts'

const LOOPBACK = Ipv4.parse('127.0.0.1')
const bytes = randomBytes(700_001)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const served: LanTransfer[] = []
let directory = ''
let base = ''
let port = 0
const files = new Map<string, LanFile>()
const server = createBootHttp({
  clock: systemClock,
  log: silentLog,
  port: 0,
  find: async (kind, id) => files.get(`${kind} ${id}`),
  routes: async (request) => await route(request),
  served: (transfer) => served.push(transfer),
})

async function route(request: LanRequest): Promise<LanAnswer | undefined> {
  switch (request.path) {
    case '/boot/script':
      return {
        status: 200,
        body: `#!ipxe ${request.query.get('mac')} ${request.client} ${request.server}`,
        headers: { 'content-type': 'text/x-ipxe' },
      }
    case '/boot/stage':
      return request.method === 'POST' ? { status: 204 } : undefined
    case '/boot/failed':
      return { status: 200, body: `${(await request.body()).length}` }
    case '/boot/broken':
      throw new Error('no')
  }
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pxe-http-'))
  const path = join(directory, 'file')
  await writeFile(path, bytes)
  files.set('loader snponly.efi', { path, size: bytes.length, sha256 })
  files.set(`artifact ${sha256}`, { path, size: bytes.length, sha256 })
  const empty = join(directory, 'empty')
  await writeFile(empty, '')
  files.set('loader empty', { path: empty, size: 0, sha256: createHash('sha256').digest('hex') })
  files.set('loader evicted', { path: join(directory, 'nowhere'), size: 10, sha256 })
  const cut = join(directory, 'cut')
  await writeFile(cut, bytes)
  await truncate(cut, 300_000)
  files.set('loader cut', { path: cut, size: bytes.length, sha256 })
  server.apply([LOOPBACK])
  await server.start()
  port = server.bound()[0]?.port ?? 0
  base = `http://127.0.0.1:${port}`
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true })
})

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') => fetch(base + path, { method, headers })

test('a file comes whole, with its length and its sha256 as tag', async () => {
  const response = await get('/loaders/snponly.efi')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-length')).toBe('700001')
  expect(response.headers.get('etag')).toBe(`"${sha256}"`)
  expect(
    createHash('sha256')
      .update(new Uint8Array(await response.arrayBuffer()))
      .digest('hex'),
  ).toBe(sha256)
  await expect
    .poll(() => served.at(-1))
    .toMatchObject({ kind: 'loader', id: 'snponly.efi', client: '127.0.0.1', bytes: 700_001, total: 700_001 })
})

test('HEAD tells the length and sends nothing (UEFI HTTP boot asks so first)', async () => {
  const before = served.length
  const response = await get(`/artifacts/${sha256}/vmlinuz`, {}, 'HEAD')
  expect([response.status, response.headers.get('content-length'), (await response.arrayBuffer()).byteLength]).toEqual([200, '700001', 0])
  expect(served.length).toBe(before)
})

for (const { range, status, slice, says } of [
  { range: 'bytes=0-9', status: 206, slice: [0, 10], says: 'bytes 0-9/700001' },
  { range: 'bytes=262144-524287', status: 206, slice: [262_144, 524_288], says: 'bytes 262144-524287/700001' },
  { range: 'bytes=700000-', status: 206, slice: [700_000, 700_001], says: 'bytes 700000-700000/700001' },
  { range: 'bytes=-5', status: 206, slice: [699_996, 700_001], says: 'bytes 699996-700000/700001' },
  { range: 'bytes=699999-999999999', status: 206, slice: [699_999, 700_001], says: 'bytes 699999-700000/700001' },
  { range: 'bytes=-9999999', status: 206, slice: [0, 700_001], says: 'bytes 0-700000/700001' },
  { range: 'bytes=700001-', status: 416, slice: [0, 0], says: 'bytes */700001' },
  { range: 'bytes=-0', status: 416, slice: [0, 0], says: 'bytes */700001' },
  { range: 'bytes=9-3', status: 200, slice: [0, 700_001], says: null },
  { range: 'bytes=0-1,5-6', status: 200, slice: [0, 700_001], says: null },
  { range: 'lines=1-2', status: 200, slice: [0, 700_001], says: null },
  { range: 'bytes=-', status: 200, slice: [0, 700_001], says: null },
])
  test(`Range ${range} is answered with ${status}`, async () => {
    const response = await get('/loaders/snponly.efi', { range })
    expect([response.status, response.headers.get('content-range')]).toEqual([status, says])
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes.subarray(slice[0], slice[1]))).toBe(true)
  })

for (const { what, headers, method = 'GET', path = '/loaders/snponly.efi', status } of [
  { what: 'a client that has it', headers: { 'if-none-match': `"${sha256}"` }, status: 304 },
  { what: 'a client that has another', headers: { 'if-none-match': '"abc"' }, status: 200 },
  { what: 'a range of the same bytes', headers: { range: 'bytes=0-1', 'if-range': `"${sha256}"` }, status: 206 },
  { what: 'a range of other bytes', headers: { range: 'bytes=0-1', 'if-range': '"abc"' }, status: 200 },
  { what: 'a range in HEAD', headers: { range: 'bytes=0-1' }, method: 'HEAD', status: 200 },
  { what: 'a write', headers: {}, method: 'PUT', status: 405 },
  { what: 'an unknown loader', headers: {}, path: '/loaders/nope', status: 404 },
  { what: 'a path out of the folder', headers: {}, path: '/loaders/..%2f..%2fetc%2fpasswd', status: 404 },
  { what: 'a sha256 in capitals', headers: {}, path: `/artifacts/${sha256.toUpperCase()}`, status: 404 },
  { what: 'a broken escape', headers: {}, path: '/loaders/%zz', status: 400 },
  { what: 'a NUL', headers: {}, path: '/loaders/a%00b', status: 400 },
  { what: 'a file whose bytes are gone', headers: {}, path: '/loaders/evicted', status: 500 },
  { what: 'an empty file', headers: {}, path: '/loaders/empty', status: 200 },
  { what: 'a route that fails', headers: {}, path: '/boot/broken', status: 500 },
  { what: 'a route that knows nothing', headers: {}, path: '/boot/stage', status: 404 },
])
  test(`${what} gets ${status}`, async () => {
    const response = await get(path, headers, method)
    expect(response.status).toBe(status)
    await response.arrayBuffer()
  })

test('a file that is cut short breaks the answer off instead of ending it', async () => {
  const response = await get('/loaders/cut')
  await expect(response.arrayBuffer()).rejects.toThrow()
})

test('a client that leaves is told as a broken-off transfer', async () => {
  const before = served.length
  const abort = new AbortController()
  const big = join(directory, 'big')
  await writeFile(big, '')
  await truncate(big, 64 * 1024 * 1024)
  files.set('loader big', { path: big, size: 64 * 1024 * 1024, sha256 })
  const response = await fetch(`${base}/loaders/big`, { signal: abort.signal })
  await response.body?.getReader().read()
  abort.abort()
  await expect.poll(() => served.length).toBe(before + 1)
  expect(served.at(-1)?.bytes).toBeLessThan(64 * 1024 * 1024)
})

test('routes see query, client and the address that was asked', async () => {
  const response = await get('/boot/script?mac=52:54:00:12:34:56')
  expect(await response.text()).toBe('#!ipxe 52:54:00:12:34:56 127.0.0.1 127.0.0.1')
  expect(response.headers.get('content-type')).toBe('text/x-ipxe')
  expect(response.headers.get('content-length')).toBe('44')
})

test('204 has no body; a body comes through; too large a one gets 413, with and without a declared length', async () => {
  const post = (path: string, body: string | ReadableStream) => fetch(base + path, { method: 'POST', body, duplex: 'half' } as RequestInit)
  expect((await post('/boot/stage', 'x')).status).toBe(204)
  expect(await (await post('/boot/failed', 'disk is full')).text()).toBe('12')
  const large = 'x'.repeat(262_145)
  expect((await post('/boot/failed', large)).status).toBe(413)
  expect((await post('/boot/failed', new Blob([large]).stream())).status).toBe(413)
  expect(await (await post('/boot/failed', large.slice(1))).text()).toBe('262144')
})

for (const { what, send, status } of [
  { what: 'HTTP/1.1 without Host', send: 'GET /loaders/empty HTTP/1.1\r\n\r\n', status: '200' },
  { what: 'HTTP/1.0', send: 'GET /loaders/empty HTTP/1.0\r\n\r\n', status: '200' },
  { what: 'the absolute form', send: 'GET http://10.0.0.1/loaders/empty HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n', status: '200' },
  { what: 'no HTTP at all', send: '\x16\x03\x01\x02\r\n\r\n', status: '400' },
  { what: 'a header of 10,000 bytes', send: `GET / HTTP/1.1\r\nX: ${'a'.repeat(10_000)}\r\n\r\n`, status: '431' },
  { what: 'a path without slash', send: 'GET loaders/empty HTTP/1.1\r\n\r\n', status: '400' },
])
  test(`${what} is answered with ${status}`, async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(send))
      socket.on('error', reject).once('data', (data) => {
        resolve(data.toString())
        socket.destroy()
      })
    })
    expect(answer.split(' ')[1]).toBe(status)
  })

test('one client holds 64 connections at most, and the server serves on', async () => {
  const sockets = Array.from({ length: 80 }, () => connect(port, '127.0.0.1'))
  let closed = 0
  for (const socket of sockets) socket.on('error', () => {}).on('close', () => closed++)
  await expect.poll(() => closed).toBeGreaterThanOrEqual(16)
  for (const socket of sockets) socket.destroy()
  await expect.poll(async () => (await get('/loaders/empty').catch(() => undefined))?.status).toBe(200)
  expect(server.counters().too_many).toBeGreaterThanOrEqual(16)
})

test('addresses come and go', async () => {
  const second = Ipv4.parse('127.0.0.2')
  server.apply([LOOPBACK, second])
  await expect.poll(() => server.bound().length).toBe(2)
  const other = server.bound().find(({ address }) => address === second)
  expect(await (await fetch(`http://127.0.0.2:${other?.port}/boot/script?mac=m`)).text()).toContain(' 127.0.0.2')
  server.apply([LOOPBACK])
  await expect.poll(() => server.bound()).toEqual([{ address: LOOPBACK, port }])
})
