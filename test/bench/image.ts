import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPresigner, presignKeyIn } from '@bridgehead/manager/engines/bucket/presign.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { BLOCK_BYTES, BLOCK_HASH_BYTES } from '@bridgehead/shared/model/release.ts'
import { execa } from 'execa'
import { z } from 'zod'
import { createHome, type Home } from '../lab/box/home.ts'
import { applianceImage, type BoxImage, publish } from '../lab/box/images.ts'
import { waitFor } from '../lab/wait.ts'
import { type BenchRow, median, row } from './harness.ts'
import { benchImageBoot } from './image-boot.ts'

const MIB = 2 ** 20
/** What the project set itself. */
const LIMITS = { sizeMiB: 80, rebuildS: 60, deltaPercent: 15, firstByteMs: 50 } as const
/** Talos publishes "about 80 MB" for its system image; the figures of the others are in README.md. */
const TALOS_MIB = 80e6 / MIB
const DOWNLOADS = 5
/** Each costs a few milliseconds: enough that one which waited for a processor does not count. */
const FIRST_BYTES = 21

/**
 * `image.*`: sizes of the released images, a rebuild after a change of the daemon, the part of a slot that such an update moves, a download
 * of a personalised image from the real manager, then `image.boot` and `image.rss`. The first run builds releases: some minutes each.
 */
export async function benchImage({ json }: { json: boolean }): Promise<BenchRow[]> {
  const say = (text: string) => json || process.stderr.write(`${text}\n`)
  const rows: BenchRow[] = []
  const add = (...more: BenchRow[]) => {
    rows.push(...more)
    for (const one of more) say(`${one.bench}: ${one.value} ${one.unit}, ${one.peer} ${one.peerValue}`)
  }
  say('the released images (minutes, the first time) ...')
  const x86 = await applianceImage({ board: 'x86_64', release: true })
  const size = await downloadMiB(x86)
  add(row('image.size.x86_64', 'limit', 'MiB', size, LIMITS.sizeMiB, { better: 'less' }))
  add(row('image.size.x86_64', 'talos, published', 'MiB', size, TALOS_MIB, { better: 'less' }))
  const rpi = await applianceImage({ board: 'rpi', release: true })
  add(row('image.size.rpi', 'limit', 'MiB', await downloadMiB(rpi), LIMITS.sizeMiB, { better: 'less' }))

  await applianceImage({ board: 'x86_64' }) // what only the first build does is done
  const rebuilt = await seconds(() => applianceImage({ board: 'x86_64', change: changed(`${Date.now()}`) }))
  add(row('image.rebuild', 'limit', 's', rebuilt, LIMITS.rebuildS, { better: 'less' }))

  const next = await applianceImage({ board: 'x86_64', release: true, change: changed('another daemon') })
  add(row('image.delta', 'limit', '%', await travels(x86, next), LIMITS.deltaPercent, { better: 'less' }))
  add(...(await benchDownload(x86)))
  add(...(await benchImageBoot({ json })))
  return rows
}

/** The daemon as it is, and one line more somewhere in its middle. */
const changed = (text: string) => (main: string) => {
  const at = main.indexOf('\n', main.length / 2) + 1
  return `${main.slice(0, at)}globalThis.changed=${JSON.stringify(text)};\n${main.slice(at)}`
}

/** As a person downloads it: the quick zstd of the download's frames. */
async function downloadMiB({ image }: BoxImage): Promise<number> {
  const { stdout } = await execa('bash', ['-c', 'zstd -3 --stdout "$1" | wc -c', 'bash', image])
  return Number(stdout) / MIB
}

/** Percent of the new slot that the old one lacks, the index of its blocks counted in; see appliance/update/deliver.ts. */
async function travels(from: BoxImage, to: BoxImage): Promise<number> {
  const has = new Set(await hashes(from))
  const slot = (await stat(to.slot)).size
  const index = await hashes(to)
  const missing = index.map((hash, block) => (has.has(hash) ? 0 : Math.min(BLOCK_BYTES, slot - block * BLOCK_BYTES)))
  return (100 * (missing.reduce((sum, bytes) => sum + bytes, 0) + index.length * BLOCK_HASH_BYTES)) / slot
}

async function hashes({ blocks }: BoxImage): Promise<string[]> {
  const text = (await readFile(blocks)).toString('hex')
  return text.match(new RegExp(`.{${2 * BLOCK_HASH_BYTES}}`, 'g')) ?? []
}

/** From inside the manager's namespace, so that nothing of the lab stands between: `.img`, against the same bytes as a file of the bucket. */
async function benchDownload(image: BoxImage): Promise<BenchRow[]> {
  const bucket = await mkdtemp(join(tmpdir(), 'bridgehead-bench-image-'))
  const home = await createHome({ wiring: 'two-cards', bucket, log: createLog({ name: 'bench', level: 'warn' }) })
  try {
    const manifest = await publish(image, bucket)
    await home.api.send('POST', '/appliance-images/import', manifest, z.unknown())
    const own = await ticket(home, manifest)
    const presigner = createPresigner(await presignKeyIn(join(home.manager.data, 'keys', 'presign')))
    const plain = presigner.sign(manifest.image.raw.sha256, { expiresAt: Date.now() + 3_600_000 })
    await waitFor('the manager to have compressed its frames', () => framesDone(home, manifest), { ms: 300_000, everyMs: 1000 })
    const firstBytes: number[] = []
    for (let round = 0; round < FIRST_BYTES; round++) firstBytes.push((await transfer(home, own, ['--range', '0-65535'])).firstByteMs)
    const rates: { own: number[]; plain: number[] } = { own: [], plain: [] }
    for (let round = 0; round < DOWNLOADS; round++) {
      rates.own.push((await transfer(home, own)).mbPerSecond)
      rates.plain.push((await transfer(home, plain)).mbPerSecond)
    }
    return [
      row('image.firstbyte', 'limit', 'ms', median(firstBytes), LIMITS.firstByteMs, { better: 'less' }),
      row('image.download', 'plain file', 'MB/s', median(rates.own), median(rates.plain)),
    ]
  } finally {
    await home.close()
    await rm(bucket, { recursive: true, force: true })
  }
}

const Ticket = z.object({ downloads: z.array(z.object({ format: z.string(), url: z.string() })) })
const Formats = z.object({ formats: z.array(z.string()).optional() })

async function ticket(home: Home, { hash }: ApplianceImageManifest): Promise<string> {
  const { downloads } = await home.api.send('POST', `/appliance-images/${hash}/tickets`, { site: home.site.id }, Ticket)
  const url = new URL(downloads.find(({ format }) => format === 'img')?.url ?? '')
  return `${url.pathname}${url.search}`
}

async function framesDone(home: Home, { hash }: ApplianceImageManifest): Promise<true | undefined> {
  return (await home.api.get(`/appliance-images/${hash}`, Formats)).formats?.includes('img.xz') ? true : undefined
}

interface Transfer {
  firstByteMs: number
  mbPerSecond: number
}

async function transfer(home: Home, path: string, more: readonly string[] = []): Promise<Transfer> {
  const words = '%{time_starttransfer} %{speed_download}'
  const url = `http://127.0.0.1:8420${path}`
  const { stdout } = await home.lab.manager.exec(['curl', '-sS', '--fail', ...more, '-o', '/dev/null', '-w', words, url])
  const [first, speed] = stdout.split(' ').map(Number)
  if (first === undefined || speed === undefined) throw new Error(`GET ${path}: ${stdout}`)
  return { firstByteMs: first * 1000, mbPerSecond: speed / 1e6 }
}

async function seconds(task: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await task()
  return (performance.now() - began) / 1000
}
