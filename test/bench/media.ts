import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { execa } from 'execa'
import { machineApt } from '../../manager/engines/apt/apt.ts'
import { createFilesystemBucket } from '../../manager/engines/bucket/filesystem.ts'
import { createPresigner } from '../../manager/engines/bucket/presign.ts'
import { hashOf, type MediaDeps, makeMedia } from '../../manager/packagers/media/make.ts'
import { PARTS, type PartName } from '../../manager/packagers/media/parts/catalogue.ts'
import { getPart } from '../../manager/packagers/media/parts/parts.ts'
import { MediaRecipe, mediaKey, type Output, type ResolvedMedia } from '../../manager/packagers/media/recipe.ts'
import { type BenchRow, median, row } from './harness.ts'
import { HAND, handFiles } from './media-hand.ts'
import { benchIpxe } from './media-ipxe.ts'

const ROUNDS = 5
/** Everything but the offline bundle, which would hold a whole site. */
const ALL: readonly Output[] = ['iso', 'usb', 'pi', 'pxe', 'secure-boot']
/** Seconds from warm parts: the limits that the project set itself. */
const BENCHES = [
  { bench: 'media.iso', outputs: ['iso'], limit: 1.5, hand: HAND.iso },
  { bench: 'media.usb', outputs: ['usb'], limit: 1.5, hand: HAND.usb },
  { bench: 'media.pi', outputs: ['pi'], limit: 2, hand: HAND.pi },
  { bench: 'media.pxe', outputs: ['pxe'], limit: 0.5, hand: HAND.pxe },
  { bench: 'media.all', outputs: ALL, limit: 8, hand: [HAND.iso, HAND.usb, HAND.pi, HAND.pxe].join('\n') },
] as const satisfies { bench: string; outputs: readonly Output[]; limit: number; hand: string }[]

/**
 * `media.*`: one recipe made from warm parts, from the call to the signed-off manifest in the bucket (every file hashed and synced), against
 * the limit, and against the same tools typed into a shell, which stores and syncs nothing. Throws when a repetition gives other bytes.
 * Then `ipxe.*`.
 */
export async function benchMedia({ json }: { json: boolean }): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-bench-media-'))
  const say = (text: string) => json || process.stderr.write(`${text}\n`)
  try {
    const deps = depsIn(directory)
    say('fetching the parts ...')
    await make(ALL, deps)
    const hand = await handDirectory(directory, deps)
    const rows: BenchRow[] = []
    for (const { bench, outputs, limit, hand: script } of BENCHES) {
      const times: { ours: number[]; tools: number[] } = { ours: [], tools: [] }
      const seen = new Set<string>()
      for (let round = 0; round < ROUNDS; round++) {
        const tools = await timed(() =>
          execa('bash', ['-euc', script], { cwd: hand, stdin: 'ignore', stdout: 'ignore', env: { LC_ALL: 'C' } }),
        )
        const ours = await timed(() => make(outputs, deps))
        times.tools.push(tools.seconds)
        times.ours.push(ours.seconds)
        seen.add(ours.result)
      }
      if (seen.size !== 1) throw new Error(`${bench}: ${seen.size} different results in ${ROUNDS} repetitions`)
      say(
        `${bench}: ours ${times.ours.map((one) => one.toFixed(2)).join(' ')} s; tools ${times.tools.map((one) => one.toFixed(2)).join(' ')} s`,
      )
      const value = median(times.ours)
      rows.push(
        row(bench, 'limit', 's', value, limit, { better: 'less' }),
        row(bench, 'tools', 's', value, median(times.tools), { better: 'less' }),
      )
    }
    return [...rows, ...(await benchIpxe({ json }))]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function depsIn(directory: string): MediaDeps {
  const nothing = () => undefined
  return {
    bucket: createFilesystemBucket({
      directory: join(directory, 'bucket'),
      presigner: createPresigner(new Uint8Array(32)),
      clock: systemClock,
    }),
    ...{ apt: machineApt(), clock: systemClock, progress: nothing, log: nothing },
    signal: new AbortController().signal,
    workDirectory: join(directory, 'work'),
  }
}

/** Made, not found. Returns a hash of all that was made. */
async function make(outputs: readonly Output[], deps: MediaDeps): Promise<string> {
  const recipe = MediaRecipe.parse({ site: 'shop', outputs: [...outputs] })
  const resolved: ResolvedMedia = { recipe, target: { kind: 'site', id: 'shop', name: 'shop', servers: ['http://192.168.1.2'] } }
  await deps.bucket.deleteDocument(mediaKey(await hashOf(resolved)))
  const { files } = await makeMedia(resolved, deps)
  return createHash('sha256').update(JSON.stringify(files)).digest('hex')
}

/** All parts under their own names in one directory, and the small files that somebody would write by hand. */
async function handDirectory(directory: string, deps: MediaDeps): Promise<string> {
  const to = join(directory, 'hand')
  await execa('mkdir', ['-p', to])
  const names = Object.keys(PARTS).filter((name): name is PartName => Object.hasOwn(PARTS, name))
  for (const name of names) {
    const part = await getPart(PARTS[name], '', { ...deps, cacheDirectory: join(deps.workDirectory, 'parts') })
    for (const file of Object.keys(part.part.files)) await execa('cp', [part.path(file), join(to, file)])
  }
  for (const [name, text] of Object.entries(handFiles())) await writeFile(join(to, name), text)
  return to
}

async function timed<T>(task: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const began = performance.now()
  const result = await task()
  return { result, seconds: (performance.now() - began) / 1000 }
}
