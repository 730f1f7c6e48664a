import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** Personalised images as people get them: fetched with curl, unpacked with the programs that card writers and people use. */
interface Served {
  pid: number
  downloads: Record<'img' | 'img.zst' | 'img.gz' | 'img.xz', string>
  configOffset: number
}
const MIB = 96
let directory: string
let served: Served
let end: () => Promise<unknown>
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-download-'))
  const script = fileURLToPath(new URL('image-download-server.ts', import.meta.url))
  const server = execa(process.execPath, ['--disable-warning=ExperimentalWarning', script, join(directory, 'bucket'), String(MIB)], {
    stdin: 'pipe',
    stderr: 'inherit',
    reject: false,
  })
  const [line] = await once(createInterface({ input: server.stdout }), 'line')
  served = JSON.parse(line) as Served
  end = () => {
    server.stdin.end()
    return server
  }
})
afterAll(async () => {
  await end()
  await rm(directory, { recursive: true })
})

/** The download through `unpack`, as a file. */
async function fetched(format: keyof Served['downloads'], unpack: readonly string[] = []): Promise<string> {
  const path = join(directory, `${format}.out`)
  const curl = execa('curl', ['-sS', '--fail', served.downloads[format]], {
    buffer: false,
    ...(unpack.length === 0 ? { stdout: { file: path } } : {}),
  })
  const [program = '', ...args] = unpack
  if (program === '') await curl
  else await curl.pipe(program, args, { buffer: false, stdout: { file: path } })
  return path
}
const sha256 = async (path: string) => (await execa('sha256sum', [path])).stdout.split(' ')[0]

test('zstd, gzip and xz unpack their download to the very bytes of the raw one', async () => {
  const raw = await fetched('img')
  const wanted = await sha256(raw)
  for (const [format, ...unpack] of [
    ['img.zst', 'zstd', '-dcq'],
    ['img.gz', 'gzip', '-dc'],
    ['img.xz', 'xz', '-dc'],
  ] as const) {
    expect([format, await sha256(await fetched(format, unpack))]).toEqual([format, wanted])
    await execa(unpack[0], ['-tq', '-'], { input: (await execa('curl', ['-sS', served.downloads[format]], { encoding: 'buffer' })).stdout })
  }
  const file = await readFile(raw)
  expect(file.length).toBe(MIB * 1_048_576)
  const config = JSON.parse(file.subarray(served.configOffset, served.configOffset + 4096).toString())
  expect(config).toMatchObject({ bridgehead: 1, name: 'berlin', uplink: { wifi: { ssid: 'shop' } } })
})

test('a broken download goes on where it ended, and the whole unpacks', async () => {
  const whole = join(directory, 'whole.zst')
  const parts = join(directory, 'parts.zst')
  await execa('curl', ['-sS', '-o', whole, served.downloads['img.zst']])
  const broken = await execa('curl', ['-sS', '-o', parts, '--limit-rate', '40M', '--max-time', '0.2', served.downloads['img.zst']], {
    reject: false,
  })
  expect(broken.exitCode).toBe(28)
  await execa('curl', ['-sS', '--fail', '-C', '-', '-o', parts, served.downloads['img.zst']])
  expect(await sha256(parts)).toBe(await sha256(whole))
})

// How fast they are is measured by `npm run bench -- image`.
test('downloads of each kind take no more memory, however many', async () => {
  const load = (url: string) => execa('curl', ['-sS', '--fail', '-o', '/dev/null', url])
  const rssKib = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${served.pid}/status`, 'utf8'))?.[1])
  const urls = Object.values(served.downloads)
  for (const url of urls) await load(url) // pages and code are warm
  const before = await rssKib()
  for (let round = 0; round < 7; round++) for (const url of urls) await load(url)
  const grown = (await rssKib()) - before
  console.log(`memory: ${Math.round(before / 1024)} MiB, ${Math.round(grown / 1024)} MiB more after ${7 * urls.length} downloads`)
  expect(grown).toBeLessThan(96 * 1024)
})
