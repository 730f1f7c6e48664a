import { ProfileTarget } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { JobStatus } from '../engines/jobs/jobs.ts'
import { findManifest } from './host-image/build.ts'
import { HostImageManifest, HostImageRecipe, profileTarget } from './recipe.ts'

/** What the API shows of an image: the wish, how far its making is, and what came of it. */
export const Image = z.object({
  hash: z.string(),
  recipe: HostImageRecipe,
  /** Epoch ms of the first request. */
  requestedAt: z.int(),
  state: z.enum(['waiting', 'building', 'ready', 'failed', 'cancelled']),
  /** 0..1. */
  fraction: z.number(),
  /** What is done now, for people. */
  text: z.string(),
  error: z.string().optional(),
  /** The last lines of the build's log; only when one image is asked for. */
  lines: z.array(z.string()).optional(),
  manifest: HostImageManifest.omit({ packages: true }).optional(),
  /** Put it under `targets.{architecture}` of a profile, and hosts with that profile get this image. */
  target: ProfileTarget.optional(),
})
export type Image = z.infer<typeof Image>

const Request = z.object({ hash: z.string(), recipe: HostImageRecipe, requestedAt: z.int() })
export type ImageRequest = z.infer<typeof Request>

/** Who asked for which image. Images themselves belong to nobody: equal recipes of two organisations are one image. */
export interface ImageRequests {
  add(organisation: string, request: ImageRequest): Promise<ImageRequest>
  find(organisation: string, hash: string): Promise<ImageRequest | undefined>
  /** Newest first. */
  list(organisation: string): Promise<ImageRequest[]>
  remove(organisation: string, hash: string): Promise<void>
}

export function imageRequests(bucket: Bucket): ImageRequests {
  const key = (organisation: string, hash: string) => `images/${organisation}/${hash}.json`
  const read = async (at: string) => Request.safeParse(await bucket.getDocument(at)).data
  const find = (organisation: string, hash: string) => read(key(organisation, hash))
  return {
    find,
    async add(organisation, request) {
      const before = await find(organisation, request.hash)
      if (before) return before
      await bucket.putDocument(key(organisation, request.hash), request)
      return request
    },
    async list(organisation) {
      const found: ImageRequest[] = []
      for await (const at of bucket.listDocuments(`images/${organisation}/`)) {
        const request = await read(at)
        if (request) found.push(request)
      }
      return found.sort((a, b) => b.requestedAt - a.requestedAt)
    },
    remove: (organisation, hash) => bucket.deleteDocument(key(organisation, hash)),
  }
}

/** The manifest outlives the job: once it is there, the image is ready, whatever became of the job's record. */
export function describeImage(request: ImageRequest, manifest: HostImageManifest | undefined, job: JobStatus | undefined): Image {
  if (manifest) {
    const { packages: _, ...shown } = manifest
    return { ...request, state: 'ready', fraction: 1, text: 'ready', manifest: shown, target: profileTarget(manifest) }
  }
  const state = job === undefined || job.state === 'completed' ? 'failed' : job.state === 'active' ? 'building' : job.state
  const error = job?.error ?? (state === 'failed' ? 'the build was lost with the job queue; ask for it again' : undefined)
  return { ...request, state, fraction: job?.fraction ?? 0, text: job?.text ?? '', ...(error === undefined ? {} : { error }) }
}

export async function showImage(
  { bucket, status }: { bucket: Bucket; status: (id: string) => Promise<JobStatus | undefined> },
  request: ImageRequest,
): Promise<Image> {
  const manifest = await findManifest(bucket, request.hash)
  return describeImage(request, manifest, manifest ? undefined : await status(request.hash))
}
