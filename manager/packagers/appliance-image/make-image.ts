import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BOARD_SPECS } from '@bridgehead/image/boards.ts'
import { type ReleaseFile, versionOf } from '@bridgehead/image/release.ts'
import { type Component, formatSbom } from '@bridgehead/image/sbom.ts'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { BLOCK_BYTES } from '@bridgehead/shared/model/release.ts'
import { execa } from 'execa'
import type { Apt } from '../../engines/apt/apt.ts'
import { isThere } from '../media/parts/spec.ts'
import { bundleApp, dataSchemaOf, hashOfFiles, npmPackagesIn } from './app.ts'
import { makeLoaders, writeBootPartition } from './boot-partition.ts'
import { writeDisk } from './disk.ts'
import { ApplianceImageError } from './error.ts'
import { readLock } from './locks.ts'
import { getNode } from './node-runtime.ts'
import { piBootFiles } from './pi-boot-files.ts'
import { type ApplianceImageRequest, applianceImageHash } from './request.ts'
import { makeSlot } from './slot.ts'
import { getSystem } from './system.ts'
import { getTools } from './tools.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

export interface ApplianceImageDeps {
  apt: Apt
  clock: Clock
  /** `fraction` 0..1. */
  progress(fraction: number, text: string): void | Promise<void>
  signal: AbortSignal
  /** Lasts: packages, tools and the unpacked system are kept there, some 1 GiB. */
  workDirectory: string
}

/** What only tests ask for. */
export interface ImageChanges {
  /** The daemon's bundle, instead of this source's own. */
  app?: string | undefined
  /** A directory whose files come over everything else. */
  overlay?: string | undefined
}

/** An image that is about to be made: its name, and everything that was decided. */
export interface ImagePlan {
  hash: string
  request: ApplianceImageRequest
  release: Omit<ReleaseFile, 'kernel' | 'node'>
  /** The daemon's bundle. */
  app: string
  overlay: string | undefined
  ingredients: string
}

/** Files in the work directory. */
export interface MadeImage {
  release: ReleaseFile
  image: string
  configOffset: number
  slot: string
  blocks: string
  sbom: string
  licences: string
  dataSchema: number
  packages: { name: string; version: string; sha256: string }[]
  seconds: Record<string, number>
}

/** Bundles the daemon and names the image. `work`: an empty directory that the plan's files stay in. */
export async function planImage(
  request: ApplianceImageRequest,
  { app: given, overlay }: ImageChanges,
  { work, signal }: { work: string; signal: AbortSignal },
): Promise<ImagePlan> {
  const { board } = request
  const app = given ?? join(work, 'app')
  if (given === undefined) await bundleApp(BOARD_SPECS[board].node, app, signal)
  for (const [directory, file] of [
    [app, 'main.mjs'],
    [overlay, '.'],
  ] as const)
    if (directory !== undefined && !(await isThere(join(directory, file))))
      throw new ApplianceImageError(`there is no ${join(directory, file)}`)
  const source = await sourceOf()
  const release = {
    version: versionOf(request.version ?? source.version, { overlay: overlay !== undefined }),
    board,
    builtFrom: source.builtFrom,
    time: source.time,
  }
  const skip = /\.(test\.ts|md)$|\/lock\//
  const [made, packager] = await Promise.all([
    hashOfFiles(join(ROOT, 'image'), skip),
    hashOfFiles(join(ROOT, 'manager/packagers/appliance-image'), skip),
  ])
  const locks = JSON.stringify([await readLock(board), await readLock('tools-amd64')])
  // Maps stay out: they say where this machine keeps its sources, and do not lie in the image.
  const hash = applianceImageHash({
    ...{ board, dev: request.dev, made, packager, locks },
    ...{ release: JSON.stringify(release), app: await hashOfFiles(app, /\.map$/), overlay: await hashOfFiles(overlay) },
  })
  return { hash, request, release, app, overlay, ingredients: await ingredientsOfSystem() }
}

/** Makes everything of an image, without root and without loop devices. Equal plans give equal bytes. */
export async function makeImage(plan: ImagePlan, deps: ApplianceImageDeps & { work: string }): Promise<MadeImage> {
  const { hash, request, app, overlay, ingredients } = plan
  const { work, signal, progress, clock } = deps
  const { board, dev } = request
  const spec = BOARD_SPECS[board]
  const seconds: Record<string, number> = {}
  let since = clock.now()
  const step = async (fraction: number, name: string, text: string) => {
    const last = Object.keys(seconds).pop()
    if (last !== undefined) seconds[last] = Math.round((clock.now() - since) / 100) / 10
    since = clock.now()
    seconds[name] = 0
    await progress(fraction, text)
  }
  await step(0.02, 'tools', 'fetching the programs that build')
  const tools = await getTools(deps)
  const lock = await readLock(board)
  const node = await getNode(spec.node, deps)
  await step(0.1, 'system', `unpacking ${lock.packages.length} packages`)
  const system = await getSystem({ board, lock, node, ingredients }, { ...deps, tools })

  await step(0.3, 'documents', 'writing down what is inside')
  const release: ReleaseFile = { ...plan.release, kernel: system.kernel, node: node.version }
  const npm = await npmPackagesIn(app)
  const components: Component[] = [
    ...lock.packages.map((one) => ({ ...one, from: 'debian' as const, architecture: lock.architecture })),
    { name: node.name, version: node.version, from: 'npm', licence: 'MIT' },
    ...npm.map(({ component }) => component),
  ]
  const sbom = formatSbom({ name: `bridgehead-appliance-${board}`, version: release.version, time: release.time, id: hash }, components)
  const npmLicences = npm.map(({ component: { name, version }, licence }) => `=== ${name} ${version} (npm)\n\n${licence}\n`).join('\n')
  const documents = { 'usr/share/bridgehead/sbom.spdx.json': sbom, 'usr/share/bridgehead/licences-npm.txt': npmLicences }

  await step(0.35, 'slot', `packing the system (${dev ? 'quickly' : 'xz: minutes'})`)
  const slot = await makeSlot({ board, system, app, release, documents, overlay, dev }, { tools, work, workDirectory: deps.workDirectory })

  await step(0.9, 'disk', 'making the disk')
  const image = join(work, 'image.img')
  const loaders = await makeLoaders(board, { system, tools, work })
  const uuid = (name: string) => uuidOf(`${name} ${hash}`)
  const efi = Object.fromEntries([...loaders].filter(([name]) => name !== 'core.img'))
  const files = board === 'rpi' ? { ...efi, ...(await piBootFiles(system)) } : efi
  const configOffset = await writeBootPartition({ board, image, files, id: uuid('boot').slice(0, 8), programs: tools.bin, work, signal })
  const coreImg = loaders.get('core.img')
  const bios = coreImg === undefined ? undefined : { coreImg, bootImg: join(system.directory, 'boot/usr/lib/grub/i386-pc/boot.img') }
  await writeDisk({ board, image, slot, bios, uuid })

  const out = join(work, 'out')
  await mkdir(out)
  const write = async (name: string, bytes: string | Uint8Array) => {
    await writeFile(join(out, name), bytes)
    return join(out, name)
  }
  const made = {
    ...{ release, image, configOffset, slot, seconds },
    dataSchema: await dataSchemaOf(signal),
    blocks: await write('blocks', await blockHashes(slot)),
    sbom: await write('sbom.spdx.json', sbom),
    licences: await write('licences.txt', `${await debianLicences(system.directory)}${npmLicences}`),
    packages: lock.packages.map(({ name, version, sha256 }) => ({ name, version, sha256 })),
  }
  await step(1, 'done', 'made')
  delete seconds.done
  return made
}

/** Files of this source that shape what `getSystem` keeps. */
async function ingredientsOfSystem(): Promise<string> {
  const hash = createHash('sha256')
  for (const name of ['boards.ts', 'packages.ts', 'modules.ts', 'picks.ts', 'elf.ts'])
    hash.update(await readFile(join(ROOT, 'image', name)))
  for (const name of ['system.ts', '../deploy-initramfs/modules.ts'])
    hash.update(await readFile(fileURLToPath(new URL(name, import.meta.url))))
  return hash.digest('hex')
}

/** What this source calls itself. Outside of a git clone it has no time of its own. */
async function sourceOf(): Promise<{ version: string; builtFrom: string; time: number }> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const git = (...args: string[]) => execa('git', ['-C', ROOT, ...args], { reject: false, stdin: 'ignore' })
  const described = await git('describe', '--tags', '--always', '--dirty', '--abbrev=12')
  const commit = await git('log', '-1', '--format=%ct')
  if (described.exitCode !== 0 || commit.exitCode !== 0) return { version, builtFrom: version, time: 0 }
  return { version, builtFrom: described.stdout.trim(), time: Number(commit.stdout) }
}

async function blockHashes(slot: string): Promise<Uint8Array> {
  const hashes: Buffer[] = []
  const add = (block: Buffer) => hashes.push(createHash('sha256').update(block).digest())
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(slot, { highWaterMark: 16 * BLOCK_BYTES }) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    for (; at + BLOCK_BYTES <= rest.length; at += BLOCK_BYTES) add(rest.subarray(at, at + BLOCK_BYTES))
    rest = rest.subarray(at)
  }
  if (rest.length > 0) add(rest)
  return Buffer.concat(hashes)
}

async function debianLicences(system: string): Promise<string> {
  const folder = join(system, 'root/usr/share/doc')
  const texts: string[] = []
  for (const name of (await readdir(folder)).sort())
    texts.push(`=== ${name}\n\n${await readFile(join(folder, name, 'copyright'), 'utf8')}\n`)
  return texts.join('\n')
}

/** RFC 9562 §5.8: made by a rule of our own, always the same for the same text. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
