import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { ApplianceImageManifest, CONFIG_BYTES, imageDocument } from '@bridgehead/shared/model/appliance-image.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { withWorkDirectory } from '../host-image/work-directory.ts'
import { type ApplianceImageDeps, type ImageChanges, makeImage, planImage } from './make-image.ts'
import { ApplianceImageRequest } from './request.ts'

export interface BuildApplianceImageDeps extends ApplianceImageDeps {
  bucket: Bucket
}

/** What the manager's job for appliance images asks of whoever makes them. `workDirectory`: some 3 GiB; what lasts there is found again. */
export function applianceImageBuilder(deps: Omit<BuildApplianceImageDeps, 'progress' | 'signal'>) {
  return {
    request: ApplianceImageRequest,
    /** Of the image that would be made now; takes the time that bundling the daemon takes. */
    hashOf: (request: ApplianceImageRequest): Promise<string> =>
      withWorkDirectory(deps.workDirectory, 'appliance-plan', async (work) => {
        const plan = await planImage(request, {}, { work, signal: new AbortController().signal })
        return plan.hash
      }),
    /** Leaves the image and its manifest in the bucket, under `hashOf(request)`. */
    build: (request: ApplianceImageRequest, context: Pick<ApplianceImageDeps, 'progress' | 'signal'>): Promise<ApplianceImageManifest> =>
      buildApplianceImage(request, { ...deps, progress: context.progress, signal: context.signal }),
  }
}

/**
 * The appliance's image for a board, of this very source: from the bucket when it is there, else made now. The manifest is written last, so
 * that an interrupted build leaves nothing but unnamed bytes. Throws ApplianceImageError, ArchiveError, or the signal's reason.
 */
export async function buildApplianceImage(
  request: ApplianceImageRequest & ImageChanges,
  deps: BuildApplianceImageDeps,
): Promise<ApplianceImageManifest> {
  const { app, overlay, ...wish } = request
  const { bucket, signal } = deps
  signal.throwIfAborted()
  return withWorkDirectory(deps.workDirectory, 'appliance-image', async (work) => {
    const plan = await planImage(wish, { app, overlay }, { work, signal })
    const found = await findApplianceImage(bucket, plan.hash)
    if (found) return found
    const made = await makeImage(plan, { ...deps, work, progress: (fraction, text) => deps.progress(0.95 * fraction, text) })
    await deps.progress(0.95, 'storing')
    const base = `bridgehead-${wish.board}-${made.release.version}`
    const store = async (path: string, name: string): Promise<ArtifactRef> => {
      const { sha256, bytes } = await bucket.put(createReadStream(path), { name, bytes: (await stat(path)).size })
      return { sha256, bytes, name }
    }
    const raw = await store(made.image, `${base}.img`)
    const manifest: ApplianceImageManifest = {
      kind: 'appliance-image',
      hash: plan.hash,
      board: wish.board,
      version: made.release.version,
      image: { raw, bytes: raw.bytes, sha256: raw.sha256, configOffset: made.configOffset, configBytes: CONFIG_BYTES },
      slot: await store(made.slot, `${base}.slot`),
      blocks: await store(made.blocks, `${base}.blocks`),
      dataSchema: made.dataSchema,
      sbom: await store(made.sbom, `${base}.spdx.json`),
      licences: await store(made.licences, `${base}-licences.txt`),
      packages: made.packages,
    }
    signal.throwIfAborted()
    await bucket.putDocument(imageDocument(plan.hash), manifest)
    await deps.progress(1, 'done')
    return manifest
  })
}

/** The manifest, when all that it names is still in the bucket. */
export async function findApplianceImage(bucket: Bucket, hash: string): Promise<ApplianceImageManifest | undefined> {
  const { data: found } = ApplianceImageManifest.safeParse(await bucket.getDocument(imageDocument(hash)))
  if (!found) return undefined
  const refs = [found.image.raw, found.slot, found.blocks, found.sbom, found.licences]
  const there = await Promise.all(refs.map(({ sha256 }) => bucket.head(sha256)))
  return there.every(Boolean) ? found : undefined
}
