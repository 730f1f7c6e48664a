import { ProfileTarget } from '@bridgehead/shared/model/state.ts'
import type { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { Jobs } from '../engines/jobs/jobs.ts'
import { Asked, Progress, progressOf } from '../engines/jobs/requests.ts'
import { findManifest } from './host-image/build.ts'
import { HostImageManifest, HostImageRecipe, profileTarget } from './recipe.ts'

/** Who asked for which image, and when. */
export const ImageRequest = Asked.extend({ recipe: HostImageRecipe })
export type ImageRequest = z.infer<typeof ImageRequest>

/** What the API shows of an image: the wish, how far its making is, and what came of it. */
export const Image = ImageRequest.extend({
  ...Progress.shape,
  manifest: HostImageManifest.omit({ packages: true }).optional(),
  /** Put it under `targets.{architecture}` of a profile, and hosts with that profile get this image. */
  target: ProfileTarget.optional(),
})
export type Image = z.infer<typeof Image>

export async function showImage({ bucket, jobs }: { bucket: Bucket; jobs: Pick<Jobs, 'status'> }, request: ImageRequest): Promise<Image> {
  const manifest = await findManifest(bucket, request.hash)
  if (!manifest) return { ...request, ...progressOf(await jobs.status(request.hash)) }
  const { packages: _, ...shown } = manifest
  return { ...request, ...progressOf('ready'), manifest: shown, target: profileTarget(manifest) }
}
