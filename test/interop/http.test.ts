import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BootHttp, createBootHttp } from '@bridgehead/appliance/distributors/pxe/http.ts'
import type { LanFile, LanTransfer } from '@bridgehead/appliance/distributors/pxe/lan-http.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'

// Clients that we did not write fetch files by HTTP from our boot server; on loopback, so no privilege is needed.

const SIZE = 5_000_003
const ZEROS = 67_108_864 // more than the sockets' buffers swallow at once
const bytes = randomBytes(SIZE)
const sha256 = (part: Buffer) => createHash('sha256').update(part).digest('hex')
const served: LanTransfer[] = []
const progress: LanTransfer[] = []
let directory = ''
let server: BootHttp
let base = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'http-interop-'))
  const file: LanFile = { path: join(directory, 'file'), size: SIZE, sha256: sha256(bytes) }
  await writeFile(file.path, bytes)
  const zeros: LanFile = { path: join(directory, 'zeros'), size: ZEROS, sha256: 'f'.repeat(64) }
  await writeFile(zeros.path, '')
  await truncate(zeros.path, ZEROS)
  server = createBootHttp({
    clock: systemClock,
    log: silentLog,
    port: 0,
    find: async (kind, id) => (id === 'zeros' ? zeros : id === (kind === 'loader' ? 'snponly.efi' : file.sha256) ? file : undefined),
    routes: async (request) => (request.method === 'POST' ? { status: 200, body: `got ${await request.body()}` } : undefined),
    served: (transfer) => served.push(transfer),
    progress: (transfer) => progress.push(transfer),
  })
  server.apply([Ipv4.parse('127.0.0.1')])
  await server.start()
  base = `http://127.0.0.1:${server.bound()[0]?.port}`
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true })
})

const soon = { timeout: 10_000 }
const out = (name: string) => join(directory, name)
const artifact = () => `${base}/artifacts/${sha256(bytes)}/disk.raw.zst`
const curl = (...args: string[]) => execa('curl', ['-sS', '--max-time', '60', ...args])

for (const { what, run } of [
  { what: 'curl', run: (to: string) => curl('-f', '-o', to, artifact()) },
  { what: 'curl over HTTP/1.0', run: (to: string) => curl('-f', '--http1.0', '-o', to, artifact()) },
  { what: 'wget', run: (to: string) => execa('wget', ['-q', '-O', to, artifact()]) },
  { what: 'busybox wget', run: (to: string) => execa('busybox', ['wget', '-q', '-O', to, `${base}/loaders/snponly.efi`]) },
])
  test(`${what} fetches a file whole`, async () => {
    await run(out('whole'))
    expect(sha256(await readFile(out('whole')))).toBe(sha256(bytes))
    await expect.poll(() => served.at(-1), soon).toMatchObject({ bytes: SIZE, total: SIZE })
  })

for (const { what, run } of [
  { what: 'curl -C -', run: (to: string) => curl('-f', '-C', '-', '-o', to, artifact()) },
  { what: 'wget -c', run: (to: string) => execa('wget', ['-q', '-c', '-O', to, artifact()]) },
  { what: 'busybox wget -c', run: (to: string) => execa('busybox', ['wget', '-q', '-c', '-O', to, artifact()]) },
])
  test(`${what} goes on where it broke off`, async () => {
    await writeFile(out('begun'), bytes.subarray(0, 1_234_567))
    await run(out('begun'))
    expect(sha256(await readFile(out('begun')))).toBe(sha256(bytes))
    await expect.poll(() => served.at(-1)?.total, soon).toBe(SIZE - 1_234_567)
  })

for (const [range, from, to] of [
  ['0-0', 0, 1],
  ['1000000-2999999', 1_000_000, 3_000_000],
  ['-100', SIZE - 100, SIZE],
  ['4999999-', 4_999_999, SIZE],
] as const)
  test(`curl -r ${range}`, async () => {
    await curl('-f', '-r', range, '-o', out('part'), artifact())
    expect(sha256(await readFile(out('part')))).toBe(sha256(bytes.subarray(from, to)))
  })

test('curl -I sees what UEFI HTTP boot asks for: 200 with Content-Length', async () => {
  const { stdout } = await curl('-I', '-A', 'UefiHttpBoot/1.0', `${base}/loaders/snponly.efi`)
  expect(stdout).toMatch(/^HTTP\/1.1 200 OK/)
  expect(stdout).toMatch(new RegExp(`^content-length: ${SIZE}\\s*$`, 'im'))
  expect(stdout).toMatch(/^accept-ranges: bytes\s*$/im)
})

test('one connection carries several requests', async () => {
  const { stdout } = await curl('-r', '0-9', '-w', '%{num_connects} ', ...['a', 'b', 'c'].flatMap((name) => ['-o', out(name), artifact()]))
  expect(stdout.trim()).toBe('1 0 0')
})

test('busybox wget posts a form', async () => {
  const { stdout } = await execa('busybox', ['wget', '-q', '-O', '-', '--post-data', 'token=T&ip=10.0.0.7', `${base}/phone-home/b`])
  expect(stdout).toBe('got token=T&ip=10.0.0.7')
})

test('a slow client is told of once a second, and holds nobody else up', async () => {
  progress.length = 0
  const began = Date.now()
  const ended: string[] = []
  const slow = curl('-f', '--limit-rate', '16M', '-o', '/dev/null', `${base}/loaders/zeros`).then(() => ended.push('slow'))
  await curl('-f', '-o', out('fast'), artifact()).then(() => ended.push('fast'))
  await slow
  expect(ended).toEqual(['fast', 'slow'])
  expect(progress.length).toBeGreaterThanOrEqual(1)
  expect(progress.length).toBeLessThanOrEqual((Date.now() - began) / 1000)
  expect(progress[0]).toMatchObject({ id: 'zeros', total: ZEROS })
  expect(progress[0]?.bytes).toBeGreaterThan(1_000_000)
})

test('two hundred clients that dribble their headers hold up nobody', async () => {
  const port = Number(new URL(base).port)
  const sockets = Array.from({ length: 200 }, (_, at) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${1 + (at % 100)}` })
    socket.on('error', () => socket.destroy()).resume()
    socket.write('GET /loaders/snponly.efi HTTP/1.1\r\nX-')
    return socket
  })
  try {
    await curl('-f', '-o', out('meanwhile'), artifact())
    expect(sha256(await readFile(out('meanwhile')))).toBe(sha256(bytes))
    // 10 s for the headers, looked at every 5 s: then each is told 408 and closed
    await expect.poll(() => sockets.filter((socket) => socket.closed).length, { timeout: 20_000, interval: 200 }).toBe(200)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})
