import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { Jobs } from '../engines/jobs/jobs.ts'
import { Asked, Progress, progressOf } from '../engines/jobs/requests.ts'
import { findBuild } from './build.ts'
import { BuildManifest, BuildRequest } from './model.ts'

/** Who asked for which build, and when. */
export const AskedBuild = Asked.extend({ request: BuildRequest })
export type AskedBuild = z.infer<typeof AskedBuild>

/** What the API shows of a build: the wish, how far its making is, and what came of it. */
export const Build = AskedBuild.extend({
  ...Progress.shape,
  manifest: BuildManifest.omit({ request: true }).optional(),
  /** By target: where to fetch it, for an hour. */
  downloads: z.record(z.string(), z.string()).optional(),
})
export type Build = z.infer<typeof Build>

export async function showBuild({ bucket, jobs }: { bucket: Bucket; jobs: Pick<Jobs, 'status'> }, asked: AskedBuild): Promise<Build> {
  const manifest = await findBuild(bucket, asked.hash)
  if (!manifest) return { ...asked, ...progressOf(await jobs.status(asked.hash)) }
  const { request: _, ...shown } = manifest
  return { ...asked, ...progressOf('ready'), manifest: shown }
}
