#!/usr/bin/env node
// npm run image -- x86_64|rpi [--dev] [--out DIR | --store] [--update-lock]
import { copyFile, mkdir, rename, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BOARDS, type Board } from '@bridgehead/image/boards.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { prettifyError, ZodError } from 'zod'
import { machineApt } from '../../engines/apt/apt.ts'
import { openBucket } from '../../worker.ts'
import { readWorkerConfig } from '../../worker-config.ts'
import { withWorkDirectory } from '../host-image/work-directory.ts'
import { buildApplianceImage } from './build.ts'
import { writeLock } from './locks.ts'
import { makeImage, planImage } from './make-image.ts'
import { ApplianceImageRequest } from './request.ts'
import { newestLock, newestTools } from './update-lock.ts'

const USAGE = `usage: npm run image -- ${BOARDS.join('|')} [options]
  --dev            quick: gzip instead of xz, some 40 % larger
  --out DIR        where the files go (dist/image)
  --store          into the manager's bucket instead, as a worker finds it (S3_URL, BRIDGEHEAD_BUCKET); the manifest on standard output
  --version V      version of the release (package.json's)
  --app DIR        the daemon's bundle, instead of this source's own
  --overlay DIR    files that come over everything else; for tests
  --update-lock    take the newest packages of the Debian release, write image/lock/, and end`

const WORK = fileURLToPath(new URL('../../../.bridgehead/image', import.meta.url))
const say = (line: string) => void process.stderr.write(`image: ${line}\n`)

const { values, positionals } = wishOf(process.argv.slice(2))
const board = BOARDS.find((name) => name === positionals[0])
if (values.help || board === undefined || positionals.length !== 1) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(values.help ? 0 : 2)
}
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)))
const deps = { apt: machineApt(), clock: systemClock, signal: interrupted.signal, workDirectory: resolve(values.work) }
await (values['update-lock'] ? updateLock(board) : values.store ? store(board) : build(board)).catch((error: unknown) => {
  say(error instanceof ZodError ? prettifyError(error) : error instanceof Error ? error.message : String(error))
  process.exit(1)
})

async function updateLock(name: Board): Promise<void> {
  const boardLock = await newestLock(name, deps)
  await writeLock(name, boardLock)
  for (const architecture of ['amd64', 'arm64'] as const) await writeLock(`tools-${architecture}`, await newestTools(architecture, deps))
  say(`image/lock/${name}.json names ${boardLock.packages.length} packages; git diff shows what changed`)
}

async function store(name: Board): Promise<void> {
  const bucket = await openBucket(readWorkerConfig(process.env), systemClock)
  const manifest = await buildApplianceImage({ ...requestOf(name), ...changes() }, { ...deps, bucket, progress })
  process.stdout.write(`${JSON.stringify(manifest, null, 2)}\n`)
}

function requestOf(name: Board): ApplianceImageRequest {
  return ApplianceImageRequest.parse({ board: name, dev: values.dev, ...(values.version ? { version: values.version } : {}) })
}
function changes() {
  return { app: values.app && resolve(values.app), overlay: values.overlay && resolve(values.overlay) }
}
function progress(fraction: number, text: string): void {
  say(`${String(Math.round(fraction * 100)).padStart(3)} % ${text}`)
}

async function build(name: Board): Promise<void> {
  const started = systemClock.now()
  const out = resolve(values.out)
  await mkdir(out, { recursive: true })
  await withWorkDirectory(deps.workDirectory, 'image', async (work) => {
    const plan = await planImage(requestOf(name), changes(), { work, signal: deps.signal })
    const made = await makeImage(plan, { ...deps, work, progress })
    const base = join(out, `bridgehead-${name}`)
    for (const [file, to] of [
      [made.image, '.img'],
      [made.slot, '.slot'],
      [made.blocks, '.blocks'],
      [made.sbom, '.spdx.json'],
      [made.licences, '-licences.txt'],
    ] as const) {
      await copyFile(file, `${base}${to}.next`)
      await rename(`${base}${to}.next`, `${base}${to}`)
    }
    const slotMiB = ((await stat(`${base}.slot`)).size / 1_048_576).toFixed(1)
    const steps = Object.entries(made.seconds).map(([step, took]) => `${step} ${took} s`)
    say(
      `${base}.img: version ${made.release.version}, kernel ${made.release.kernel}, slot ${slotMiB} MiB, bridgehead.json at ${made.configOffset}`,
    )
    say(`${((systemClock.now() - started) / 1000).toFixed(1)} s (${steps.join(', ')})`)
  })
}

/** Ends the program, with its usage, on an option that there is not. */
function wishOf(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        dev: { type: 'boolean', default: false },
        store: { type: 'boolean', default: false },
        out: { type: 'string', default: 'dist/image' },
        version: { type: 'string' },
        app: { type: 'string' },
        overlay: { type: 'string' },
        work: { type: 'string', default: WORK },
        'update-lock': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    process.stderr.write(`image: ${error instanceof Error ? error.message : error}\n${USAGE}\n`)
    process.exit(2)
  }
}
