import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { type Log, silentLog } from '@bridgehead/shared/log.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { machineApt } from '../engines/apt/apt.ts'
import { createFilesystemBucket } from '../engines/bucket/filesystem.ts'
import { createPresigner } from '../engines/bucket/presign.ts'
import { buildHostImage, findManifest } from './host-image/build.ts'
import { ingredients } from './host-image/ingredients.ts'
import { importDefaultLoaders } from './loaders/default-loaders.ts'
import { type HostImageManifest, HostImageRecipe, type NewHostImageRecipe } from './recipe.ts'

const Prepared = z.object({ hash: z.string() })

/**
 * A bucket directory with the default loaders and one host image, for whoever starts a manager on it: made now (some two minutes), or
 * found (under 0.2 s: apt is not asked as long as its sources and the recipe are what they were). Needs the package archive when it
 * builds, so run it in the machine's own network namespace. Throws as `buildHostImage` does.
 */
export async function prepareImages({
  bucketDirectory,
  kernel = 'cloud',
  recipe = {},
  progress = () => undefined,
  line = () => undefined,
  signal = new AbortController().signal,
  workDirectory = join(tmpdir(), 'bridgehead-images'),
  log = silentLog,
}: {
  bucketDirectory: string
  kernel?: HostImageRecipe['kernel']
  recipe?: NewHostImageRecipe
  progress?: (fraction: number, text: string) => void
  line?: (line: string) => void
  signal?: AbortSignal
  workDirectory?: string
  log?: Log
}): Promise<{ manifest: HostImageManifest; loaders: Record<string, ArtifactRef> }> {
  const bucket = createFilesystemBucket({ directory: bucketDirectory, presigner: createPresigner(new Uint8Array(32)), clock: systemClock })
  const apt = machineApt()
  const whole = HostImageRecipe.parse({ ...recipe, kernel })
  const wish = JSON.stringify([whole, await ingredients(), await apt.fingerprint()])
  const key = `prepared/${createHash('sha256').update(wish).digest('hex')}.json`
  const known = Prepared.safeParse(await bucket.getDocument(key)).data
  let manifest = known && (await findManifest(bucket, known.hash))
  if (!manifest) {
    manifest = await buildHostImage(whole, { bucket, apt, clock: systemClock, progress, log: line, signal, workDirectory })
    await bucket.putDocument(key, { hash: manifest.hash })
  }
  return { manifest, loaders: await importDefaultLoaders({ bucket, log }) }
}
