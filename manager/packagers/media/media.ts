import { z } from 'zod'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import type { JobStatus } from '../../engines/jobs/jobs.ts'
import { findMedia } from './make.ts'
import { MediaManifest, MediaRecipe, MediaTarget, WayTaken } from './recipe.ts'

/** What the API shows of media: the wish, how far their making is, and what came of it. */
export const Media = z.object({
  hash: z.string(),
  recipe: MediaRecipe,
  target: MediaTarget,
  /** Which way the loaders are had, by platform, and why. */
  ways: z.array(WayTaken),
  /** Epoch ms of the first request. */
  requestedAt: z.int(),
  state: z.enum(['waiting', 'making', 'ready', 'failed', 'cancelled']),
  /** 0..1. */
  fraction: z.number(),
  /** What is done now, for people. */
  text: z.string(),
  error: z.string().optional(),
  /** The last lines of the log; only when one recipe is asked for. */
  lines: z.array(z.string()).optional(),
  manifest: MediaManifest.omit({ recipe: true, target: true, ways: true }).optional(),
})
export type Media = z.infer<typeof Media>

const Request = z.object({ hash: z.string(), recipe: MediaRecipe, target: MediaTarget, ways: z.array(WayTaken), requestedAt: z.int() })
export type MediaRequest = z.infer<typeof Request>

/** Who asked for which media. What was made belongs to nobody: equal recipes of two organisations are made once, yet neither sees the other's. */
export interface MediaRequests {
  add(organisation: string, request: MediaRequest): Promise<MediaRequest>
  find(organisation: string, hash: string): Promise<MediaRequest | undefined>
  /** Newest first. */
  list(organisation: string): Promise<MediaRequest[]>
  remove(organisation: string, hash: string): Promise<void>
}

export function mediaRequests(bucket: Bucket): MediaRequests {
  const key = (organisation: string, hash: string) => `media-requests/${organisation}/${hash}.json`
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
      const found: MediaRequest[] = []
      for await (const at of bucket.listDocuments(`media-requests/${organisation}/`)) {
        const request = await read(at)
        if (request) found.push(request)
      }
      return found.sort((a, b) => b.requestedAt - a.requestedAt)
    },
    remove: (organisation, hash) => bucket.deleteDocument(key(organisation, hash)),
  }
}

/** The manifest outlives the job: once it is there, the media are ready, whatever became of the job's record. */
export function describeMedia(request: MediaRequest, manifest: MediaManifest | undefined, job: JobStatus | undefined): Media {
  if (manifest) {
    const { recipe: _, target: __, ways, ...shown } = manifest
    return { ...request, ways, state: 'ready', fraction: 1, text: 'ready', manifest: shown }
  }
  const state = job === undefined || job.state === 'completed' ? 'failed' : job.state === 'active' ? 'making' : job.state
  const error = job?.error ?? (state === 'failed' ? 'what was made is lost; ask for it again' : undefined)
  return { ...request, state, fraction: job?.fraction ?? 0, text: job?.text ?? '', ...(error === undefined ? {} : { error }) }
}

export async function showMedia(
  { bucket, status }: { bucket: Bucket; status: (id: string) => Promise<JobStatus | undefined> },
  request: MediaRequest,
): Promise<Media> {
  const manifest = await findMedia(bucket, request.hash)
  return describeMedia(request, manifest, manifest ? undefined : await status(request.hash))
}
