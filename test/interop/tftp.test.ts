import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTftpServer, type TftpServer } from '@bridgehead/appliance/distributors/pxe/tftp.ts'
import { tftpFileAt } from '@bridgehead/appliance/distributors/pxe/tftp-files.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lossyRelay, seeded } from './lossy-relay.ts'

// Clients that we did not write fetch files by TFTP from our server; on loopback, so no privilege is needed.

const SIZES = { empty: 0, tiny: 1, 'one-block': 512, 'window-end': 16 * 1428, loader: 250_003, rollover: 34 * 1024 * 1024 }
const ended: { name: string; outcome: string; retries: number }[] = []
const sums = new Map<string, string>()
let directory = ''
let server: TftpServer
let port = 0

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tftp-interop-'))
  await mkdir(join(directory, 'got'))
  for (const [name, size] of Object.entries(SIZES)) {
    const bytes = randomBytes(size)
    sums.set(name, sha256(bytes))
    await writeFile(join(directory, name), bytes)
  }
  server = createTftpServer({
    clock: systemClock,
    log: silentLog,
    port: 0,
    find: async (name) => (sums.has(name) ? tftpFileAt(join(directory, name)) : undefined),
    done: (transfer) => ended.push(transfer),
  })
  server.apply([Ipv4.parse('127.0.0.1')])
  await server.start()
  port = server.bound()[0]?.port ?? 0
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true })
})

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const got = (name: string) => join(directory, 'got', name)
const fetchedSum = async (name: string) => sha256(await readFile(got(name)))

interface Client {
  what: string
  run(name: string, at: number): Promise<unknown>
}
const atftp = (...options: string[]): Client['run'] => {
  const flags = options.flatMap((option) => ['--option', option])
  return (name, at) => execa('atftp', [...flags, '-g', '-r', name, '-l', got(name), '127.0.0.1', String(at)], { timeout: 100_000 })
}
const curl = (...flags: string[]): Client['run'] => {
  return (name, at) => execa('curl', ['-sS', ...flags, '-o', got(name), `tftp://127.0.0.1:${at}/${name}`], { timeout: 100_000 })
}
const CLIENTS: Client[] = [
  { what: 'tftp-hpa', run: (name, at) => execa('tftp', ['-m', 'binary', '127.0.0.1', String(at), '-c', 'get', name, got(name)]) },
  { what: 'curl, block size 512', run: curl() },
  { what: 'curl, block size 1428', run: curl('--tftp-blksize', '1428') },
  { what: 'curl without any option', run: curl('--tftp-no-options') },
  { what: 'atftp without options', run: atftp() },
  { what: 'atftp, window 16, block size 1428', run: atftp('windowsize 16', 'blksize 1428') },
  { what: 'atftp, window 64, block size 1468, size and timeout', run: atftp('windowsize 64', 'blksize 1468', 'tsize', 'timeout 3') },
  { what: 'atftp with blocks that are too large', run: atftp('blksize 16384') },
  { what: 'busybox', run: (name, at) => execa('busybox', ['tftp', '-g', '-r', name, '-l', got(name), '127.0.0.1', String(at)]) },
  {
    what: 'busybox, block size 1428',
    run: (name, at) => execa('busybox', ['tftp', '-b', '1428', '-g', '-r', name, '-l', got(name), '127.0.0.1', String(at)]),
  },
]

for (const { what, run } of CLIENTS)
  for (const name of ['tiny', 'one-block', 'window-end', 'loader'])
    test(`${what} fetches ${name}`, async () => {
      ended.length = 0
      await run(name, port)
      expect(await fetchedSum(name)).toBe(sums.get(name))
      await expect.poll(() => ended).toMatchObject([{ name, outcome: 'complete', retries: 0 }])
    })

for (const { what, run } of CLIENTS.filter(({ what }) => ['tftp-hpa', 'curl, block size 512'].includes(what)))
  test(`${what} fetches more than 65,535 blocks`, async () => {
    await run('rollover', port)
    expect(await fetchedSum('rollover')).toBe(sums.get('rollover'))
  })

test('atftp fetches an empty file', async () => {
  await atftp()('empty', port)
  expect((await readFile(got('empty'))).length).toBe(0)
})

test('clients show why they were refused', async () => {
  const hpa = await execa('tftp', ['127.0.0.1', String(port), '-c', 'get', 'loader', got('x')], { all: true, reject: false })
  expect(hpa.all).toContain('only mode octet')
  const missing = await execa('curl', ['-sS', `tftp://127.0.0.1:${port}/nope`], { all: true, reject: false })
  expect(missing.exitCode).toBe(68) // CURLE_TFTP_NOTFOUND
  const put = await execa('curl', ['-sS', '-T', got('loader'), `tftp://127.0.0.1:${port}/loader`], { all: true, reject: false })
  expect(put.exitCode).toBe(69) // CURLE_TFTP_PERM
})

for (const { what, weather, run, withinMs } of [
  { what: 'atftp, window 16, 5 % lost', weather: { lose: 0.05 }, run: atftp('windowsize 16', 'blksize 1428'), withinMs: 20_000 },
  { what: 'atftp, window 16, a tenth twice', weather: { duplicate: 0.1 }, run: atftp('windowsize 16', 'blksize 1428'), withinMs: 10_000 },
  {
    what: 'atftp, window 8, swapped, lost and twice',
    weather: { swap: 0.02, lose: 0.02, duplicate: 0.02 },
    run: atftp('windowsize 8'),
    withinMs: 40_000,
  },
  { what: 'curl, 5 % lost', weather: { lose: 0.05 }, run: curl('--tftp-blksize', '1428'), withinMs: 20_000 },
  { what: 'curl, half of them twice', weather: { duplicate: 0.5 }, run: curl('--tftp-blksize', '1428'), withinMs: 5_000 },
  {
    what: 'busybox, 5 % lost and 10 % twice',
    weather: { lose: 0.05, duplicate: 0.1 },
    run: (name: string, at: number) => execa('busybox', ['tftp', '-b', '1428', '-g', '-r', name, '-l', got(name), '127.0.0.1', String(at)]),
    withinMs: 20_000,
  },
])
  test(`on a bad line: ${what}`, async () => {
    const relay = await lossyRelay(port, weather, seeded(20_261_122))
    try {
      const began = Date.now()
      await run('loader', relay.port)
      expect(await fetchedSum('loader')).toBe(sums.get('loader'))
      expect(Date.now() - began).toBeLessThan(withinMs)
      expect(relay.seen.lost + relay.seen.duplicated + relay.seen.swapped).toBeGreaterThan(0)
    } finally {
      relay.close()
    }
  })
