import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { execa } from 'execa'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import type { Apt } from '../apt/apt.ts'
import { type Archive, formatDeb822 } from '../apt/archive.ts'
import { buildDeployInitramfs } from '../deploy-initramfs/build.ts'
import { HostImageManifest, type HostImageRecipe, manifestKey, type ResolvedRecipe, recipeHash } from '../recipe.ts'
import { writeBootAreas } from './boot-loader.ts'
import { type DiskIds, diskBytes, LAYOUT } from './layout.ts'
import { mmdebstrapArguments, progressOf } from './mmdebstrap.ts'
import { initramfsSettings, packagesOf } from './packages.ts'

export class ImageError extends Error {
  readonly code = 'image'
}

export interface BuildDeps {
  bucket: Bucket
  apt: Apt
  clock: Clock
  /** `fraction` 0..1. */
  progress(fraction: number, text: string): void | Promise<void>
  log(line: string): void | Promise<void>
  signal: AbortSignal
  /** Needs some 2 GiB. What a build makes there is removed when it ends, however it ends. */
  workDirectory: string
}

/**
 * The image of a recipe: from the bucket when it is there, else made now. The manifest is written last, so that an interrupted build
 * leaves nothing but unnamed bytes. Throws ImageError (with the last lines that mmdebstrap said), ArchiveError, or the signal's reason.
 */
export async function buildHostImage(recipe: HostImageRecipe, deps: BuildDeps): Promise<HostImageManifest> {
  if (recipe.architecture !== 'x86_64')
    throw new ImageError(
      `architecture: images for ${recipe.architecture} cannot be made yet: installer and boot loader are taken from this machine, which is x86_64; expected x86_64`,
    )
  await mkdir(deps.workDirectory, { recursive: true })
  const work = await mkdtemp(join(deps.workDirectory, 'host-image-'))
  try {
    const archive = await deps.apt.archive({ suite: recipe.suite, workDirectory: work, signal: deps.signal })
    const resolved: ResolvedRecipe = { ...recipe, suite: archive.codename }
    const hash = recipeHash(resolved, await ingredients())
    return (await findManifest(deps.bucket, hash)) ?? (await build({ resolved, hash, archive, work, deps }))
  } catch (error) {
    deps.signal.throwIfAborted()
    throw error
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The manifest, when all that it names is still in the bucket. */
export async function findManifest(bucket: Bucket, hash: string): Promise<HostImageManifest | undefined> {
  const found = HostImageManifest.safeParse(await bucket.getDocument(manifestKey(hash)))
  if (!found.success) return undefined
  for (const ref of [found.data.image, found.data.kernel, found.data.initrd]) if (!(await bucket.head(ref.sha256))) return undefined
  return found.data
}

interface Build {
  resolved: ResolvedRecipe
  hash: string
  archive: Archive
  work: string
  deps: BuildDeps
}

async function build({ resolved, hash, archive, work, deps }: Build): Promise<HostImageManifest> {
  const { bucket, clock, signal, progress } = deps
  const seconds: Record<string, number> = {}
  let since = clock.now()
  const lap = (name: string) => {
    seconds[name] = Math.round((clock.now() - since) / 100) / 10
    since = clock.now()
  }
  const ids = idsOf(hash)
  const out = join(work, 'out')
  await unpack({ resolved, archive, work, out, ids, deps })
  lap('packages')

  const facts = Object.fromEntries((await readFile(join(out, 'facts'), 'utf8')).split('\n').map((line) => line.split('=', 2)))
  const rootMiB = Number(facts['ROOT_MIB'])
  const kernelVersion = String(facts['KERNEL_VERSION'])
  await progress(0.72, 'making it bootable')
  const disk = join(out, 'disk.raw')
  await writeBootAreas({ disk, rootMiB, ids, workDirectory: work, signal })
  lap('boot loader')

  await progress(0.75, 'making the installer')
  const initramfs = await buildDeployInitramfs({
    modulesTar: join(out, 'modules.tar'),
    kernelVersion,
    kernel: resolved.kernel,
    workDirectory: work,
    signal,
  })
  lap('installer')

  await progress(0.82, 'compressing the disk')
  const compressed = join(work, 'disk.raw.zst')
  await execa('zstd', ['-q', '-f', '-T0', '-9', disk, '-o', compressed], { cancelSignal: signal })
  lap('compression')

  await progress(0.96, 'storing')
  const short = `${resolved.suite}-${resolved.kernel}`
  const store = async (path: string, name: string): Promise<ArtifactRef> => {
    const bytes = (await stat(path)).size
    const stored = await bucket.put(createReadStream(path), { name, bytes })
    return { sha256: stored.sha256, bytes, name }
  }
  const image = await store(compressed, `${short}.raw.zst`)
  const kernel = await store(join(out, 'vmlinuz'), `vmlinuz-${kernelVersion}`)
  const initrd = await store(initramfs.path, `deploy-${kernelVersion}.cpio.zst`)
  lap('storing')
  const packages = (await readFile(join(out, 'packages'), 'utf8')).trim().split('\n')
  const manifest: HostImageManifest = {
    kind: 'host-image',
    hash,
    recipe: resolved,
    image,
    imageBytes: diskBytes(rootMiB),
    kernel,
    initrd,
    kernelVersion,
    packages: Object.fromEntries(packages.map((line) => line.split(' ', 2) as [string, string])),
    seconds,
  }
  signal.throwIfAborted()
  await bucket.putDocument(manifestKey(hash), manifest)
  await progress(1, 'done')
  return manifest
}

async function unpack({ resolved, archive, work, out, ids, deps }: Omit<Build, 'hash'> & { out: string; ids: ReturnType<typeof idsOf> }): Promise<void> {
  const root = process.getuid?.() === 0
  // Without root, the packages are unpacked by a user namespace whose users are strangers to these directories.
  await chmod(work, 0o711)
  await mkdir(out)
  await chmod(out, 0o777)
  const overlay = join(work, 'overlay')
  await execa('cp', ['-R', fileURLToPath(new URL('./overlay', import.meta.url)), overlay])
  await writeFile(join(overlay, 'etc/initramfs-tools/conf.d/bridgehead.conf'), initramfsSettings(resolved)).catch(async () => {
    await mkdir(join(overlay, 'etc/initramfs-tools/conf.d'), { recursive: true })
    await writeFile(join(overlay, 'etc/initramfs-tools/conf.d/bridgehead.conf'), initramfsSettings(resolved))
  })
  const finish = join(work, 'finish.sh')
  await execa('cp', [fileURLToPath(new URL('./finish.sh', import.meta.url)), finish])
  const sources = join(work, 'debian.sources')
  await writeFile(sources, formatDeb822(archive))
  const aptSettings = join(work, 'apt.conf')
  await writeFile(aptSettings, [...(await deps.apt.reach()), 'Acquire::Languages "none";', 'APT::Install-Recommends "false";', ''].join('\n'))
  const parts = await Promise.all(
    archive.parts.map(async (part, index) => {
      if (!part.signedBy?.includes('\n')) return part
      const keyring = join(work, `key-${index}.asc`)
      await writeFile(keyring, part.signedBy)
      return { ...part, signedBy: keyring }
    }),
  )

  const child = execa(
    'mmdebstrap',
    mmdebstrapArguments({
      architecture: 'amd64',
      mode: root ? 'root' : 'unshare',
      archive: { ...archive, parts },
      packages: packagesOf(resolved),
      aptSettings,
      overlay,
      finish,
    }),
    {
      cancelSignal: deps.signal,
      stdin: 'ignore',
      stdout: 'ignore',
      reject: false,
      // mmdebstrap unmounts and removes what it made when asked to stop; give it time for that.
      forceKillAfterDelay: 60_000,
      env: {
        LC_ALL: 'C.UTF-8',
        TMPDIR: work,
        OUT: out,
        ROOT_OFFSET: String(LAYOUT.root.offset),
        SIZE_MIB: String(resolved.sizeMiB ?? 0),
        PARTUUID: ids.root,
        FS_UUID: ids.fileSystem,
        CMDLINE: resolved.cmdline,
        LANG_NAME: resolved.locale,
        TIMEZONE: resolved.timezone,
        SOURCES: sources,
      },
    },
  )
  const last: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    last.push(line)
    if (last.length > 15) last.shift()
    await deps.log(line)
    const step = progressOf(line)
    if (step) await deps.progress(step.fraction, step.text)
  }
  const result = await child
  deps.signal.throwIfAborted()
  if (result.exitCode !== 0)
    throw new ImageError(`mmdebstrap ended with ${result.exitCode ?? result.signal ?? result.shortMessage}:\n${last.join('\n')}`)
}

/** Identifiers of the disk's parts, the same for the same recipe. */
function idsOf(hash: string): DiskIds & { fileSystem: string } {
  const uuid = (name: string) => {
    const bytes = createHash('sha256').update(`${name} ${hash}`).digest().subarray(0, 16)
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80 // RFC 9562 §5.8: vendor-specific
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  return { disk: uuid('disk'), biosBoot: uuid('bios-boot'), esp: uuid('esp'), root: uuid('root'), fileSystem: uuid('file system') }
}

/** Hash of the files that shape an image: a new version of them is a new image. */
export async function ingredients(): Promise<string> {
  const hash = createHash('sha256')
  const add = async (folder: string): Promise<void> => {
    for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await add(path)
      else if (!/\.test\.ts$/.test(entry.name)) hash.update(`${entry.name}\0`).update(await readFile(path))
    }
  }
  for (const folder of ['.', '../deploy-initramfs']) await add(fileURLToPath(new URL(folder, import.meta.url)))
  return hash.digest('hex')
}
