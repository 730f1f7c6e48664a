import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { execa } from 'execa'
import type { Apt } from '../../engines/apt/apt.ts'
import type { Archive } from '../../engines/apt/archive.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import type { MakerDeps } from '../../engines/jobs/maker-deps.ts'
import { buildDeployInitramfs } from '../deploy-initramfs/build.ts'
import { HostImageManifest, type HostImageRecipe, manifestKey, type ResolvedRecipe, recipeHash } from '../recipe.ts'
import { writeBootAreas } from './boot-loader.ts'
import { ingredients } from './ingredients.ts'
import { diskBytes, diskIds } from './layout.ts'
import { ImageError, unpack } from './unpack.ts'
import { withWorkDirectory } from './work-directory.ts'

/**
 * The image of a recipe: from the bucket when it is there, else made now. The manifest is written last, so that an interrupted build
 * leaves nothing but unnamed bytes. Needs some 2 GiB in `workDirectory`. Throws ImageError (with the last lines that mmdebstrap said), ArchiveError, or the signal's reason.
 */
export async function buildHostImage(recipe: HostImageRecipe, deps: MakerDeps): Promise<HostImageManifest> {
  checkPossible(recipe)
  deps.signal.throwIfAborted()
  return withWorkDirectory(deps.workDirectory, 'host-image', async (work) => {
    try {
      const { resolved, hash, archive } = await resolve(recipe, deps.apt, work, deps.signal)
      return (await findManifest(deps.bucket, hash)) ?? (await build({ resolved, hash, archive, work, deps }))
    } catch (error) {
      deps.signal.throwIfAborted() // what a killed child says is not the reason
      throw error
    }
  })
}

/** Throws ImageError, naming the field, for what this machine cannot make. */
export function checkPossible(recipe: HostImageRecipe): void {
  if (recipe.architecture !== 'x86_64')
    throw new ImageError(
      `architecture: expected x86_64; images for ${recipe.architecture} cannot be made yet, because boot loader and installer are taken from this machine`,
    )
}

/** The recipe with nothing left open, and its name. Throws ArchiveError when apt knows no Debian archive. */
export async function resolveRecipe(
  recipe: HostImageRecipe,
  { apt, workDirectory }: { apt: Apt; workDirectory: string },
): Promise<{ resolved: ResolvedRecipe; hash: string }> {
  return withWorkDirectory(workDirectory, 'recipe', (work) => resolve(recipe, apt, work))
}

async function resolve(recipe: HostImageRecipe, apt: Apt, workDirectory: string, signal?: AbortSignal) {
  const archive = await apt.archive({ suite: recipe.suite, workDirectory, signal })
  const resolved: ResolvedRecipe = { ...recipe, suite: archive.codename }
  return { resolved, archive, hash: recipeHash(resolved, await ingredients()) }
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
  deps: MakerDeps
}

async function build({ resolved, hash, archive, work, deps }: Build): Promise<HostImageManifest> {
  const { bucket, signal } = deps
  const step = async (fraction: number, text: string) => {
    await deps.log(text)
    await deps.progress(fraction, text)
  }
  const { seconds, lap } = stopwatch(deps.clock)
  const ids = diskIds(hash)
  const out = join(work, 'out')
  await unpack({ resolved, archive, work, out, ids, deps })
  const { rootMiB, kernelVersion, packages } = await factsIn(out)
  lap('packages')

  await step(0.72, 'making it bootable')
  const disk = join(out, 'disk.raw')
  await writeBootAreas({ disk, rootMiB, ids, workDirectory: work, signal })
  lap('boot loader')

  await step(0.75, 'making the installer')
  const modulesTar = join(out, 'modules.tar')
  const initramfs = await buildDeployInitramfs({ modulesTar, kernelVersion, kernel: resolved.kernel, workDirectory: work, signal })
  lap('installer')

  await step(0.82, 'compressing the disk')
  const compressed = join(work, 'disk.raw.zst')
  await execa('zstd', ['-q', '-f', '-T0', '-9', disk, '-o', compressed], { cancelSignal: signal })
  lap('compression')

  await step(0.96, 'storing')
  const store = async (path: string, name: string): Promise<ArtifactRef> => {
    const stored = await bucket.put(createReadStream(path), { name, bytes: (await stat(path)).size })
    return { ...stored, name }
  }
  const image = await store(compressed, `${resolved.suite}-${resolved.kernel}.raw.zst`)
  const kernel = await store(join(out, 'vmlinuz'), `vmlinuz-${kernelVersion}`)
  const initrd = await store(initramfs.path, `deploy-${kernelVersion}.cpio.zst`)
  lap('storing')
  signal.throwIfAborted()
  const manifest: HostImageManifest = {
    kind: 'host-image',
    hash,
    recipe: resolved,
    image,
    imageBytes: diskBytes(rootMiB),
    kernel,
    initrd,
    kernelVersion,
    packages,
    seconds,
  }
  await bucket.putDocument(manifestKey(hash), manifest)
  await step(1, 'done')
  return manifest
}

/** What the finishing script found out. */
async function factsIn(out: string): Promise<{ rootMiB: number; kernelVersion: string; packages: Record<string, string> }> {
  const pairs = async (name: string, separator: string) =>
    Object.fromEntries(
      (await readFile(join(out, name), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => line.split(separator, 2) as [string, string]),
    )
  const { ROOT_MIB: rootMiB, KERNEL_VERSION: kernelVersion } = await pairs('facts', '=')
  if (!rootMiB || !kernelVersion) throw new ImageError('the finishing script left no facts')
  return { rootMiB: Number(rootMiB), kernelVersion, packages: await pairs('packages', ' ') }
}

function stopwatch(clock: Clock) {
  const seconds: Record<string, number> = {}
  let since = clock.now()
  const lap = (name: string) => {
    seconds[name] = Math.round((clock.now() - since) / 100) / 10
    since = clock.now()
  }
  return { seconds, lap }
}
