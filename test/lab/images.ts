import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFilesystemBucket } from '@bridgehead/manager/engines/bucket/filesystem.ts'
import { createPresigner } from '@bridgehead/manager/engines/bucket/presign.ts'
import { machineApt } from '@bridgehead/manager/packagers/apt/apt.ts'
import { buildHostImage } from '@bridgehead/manager/packagers/host-image/build.ts'
import { HostImageRecipe, profileTarget } from '@bridgehead/manager/packagers/recipe.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { cacheDirectory } from './cache.ts'
import type { Target } from './stack.ts'
import { formatBytes } from './view/format.ts'

/** A host image in the bucket that outlives labs. */
export interface Images {
  /** Directory of the bucket. */
  bucket: string
  target: Target
  /** The installer's kernel as a file. */
  kernelFile: string
  /** What it is, for people. */
  words: string
}

/** From the cache, or built now (some minutes). Needs the package archive, so it runs in the machine's own network. */
export async function preparedImage({ progress }: { progress: (text: string, fraction?: number) => void }): Promise<Images> {
  const directory = join(cacheDirectory(), 'bucket')
  await mkdir(directory, { recursive: true })
  const bucket = createFilesystemBucket({ directory, presigner: createPresigner(new Uint8Array(32)), clock: systemClock })
  const manifest = await buildHostImage(HostImageRecipe.parse({}), {
    bucket,
    apt: machineApt(),
    clock: systemClock,
    progress: (fraction, text) => progress(text, fraction),
    log: () => undefined,
    signal: new AbortController().signal,
    workDirectory: join(tmpdir(), 'bridgehead-images'),
  })
  const { sha256 } = manifest.kernel
  return {
    bucket: directory,
    target: profileTarget(manifest),
    kernelFile: join(directory, 'objects', sha256.slice(0, 2), sha256),
    words: `Debian ${manifest.recipe.suite}, ${formatBytes(manifest.image.bytes)}, unpacked ${formatBytes(manifest.imageBytes)}`,
  }
}
