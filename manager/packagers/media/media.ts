import { z } from 'zod'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import type { Jobs } from '../../engines/jobs/jobs.ts'
import { Asked, Progress, progressOf } from '../../engines/jobs/requests.ts'
import { findMedia } from './make.ts'
import { MediaManifest, MediaRecipe, MediaTarget, WayTaken } from './recipe.ts'

/** Who asked for which media, and when. */
export const MediaRequest = Asked.extend({
  recipe: MediaRecipe,
  target: MediaTarget,
  /** Which way the loaders are had, by platform, and why. */
  ways: z.array(WayTaken),
})
export type MediaRequest = z.infer<typeof MediaRequest>

/** What the API shows of media: the wish, how far their making is, and what came of it. */
export const Media = MediaRequest.extend({
  ...Progress.shape,
  manifest: MediaManifest.omit({ recipe: true, target: true, ways: true }).optional(),
})
export type Media = z.infer<typeof Media>

export async function showMedia({ bucket, jobs }: { bucket: Bucket; jobs: Pick<Jobs, 'status'> }, request: MediaRequest): Promise<Media> {
  const manifest = await findMedia(bucket, request.hash)
  if (!manifest) return { ...request, ...progressOf(await jobs.status(request.hash)) }
  const { recipe: _, target: __, ways, ...shown } = manifest
  return { ...request, ways, ...progressOf('ready'), manifest: shown }
}
