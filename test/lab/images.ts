import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { prepareImages } from '@bridgehead/manager/packagers/prepare.ts'
import { profileTarget } from '@bridgehead/manager/packagers/recipe.ts'
import { formatBytes } from '@bridgehead/shared/text/format.ts'
import { cacheDirectory } from './cache.ts'
import type { Target } from './stack.ts'

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
  const bucket = join(cacheDirectory(), 'bucket')
  await mkdir(bucket, { recursive: true })
  const { manifest } = await prepareImages({ bucketDirectory: bucket, progress: (fraction, text) => progress(text, fraction) })
  const { sha256 } = manifest.kernel
  return {
    bucket,
    target: profileTarget(manifest),
    kernelFile: join(bucket, 'objects', sha256.slice(0, 2), sha256),
    words: `Debian ${manifest.recipe.suite}, ${formatBytes(manifest.image.bytes)}, unpacked ${formatBytes(manifest.imageBytes)}`,
  }
}
