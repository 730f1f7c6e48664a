import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { JobStatus } from '../engines/jobs/jobs.ts'
import { findBuild } from './build.ts'
import { BuildManifest, BuildRequest } from './model.ts'

/** What the API shows of a build: the wish, how far its making is, and what came of it. */
export const Build = z.object({
  hash: z.string(),
  request: BuildRequest,
  /** Epoch ms of the first request. */
  requestedAt: z.int(),
  state: z.enum(['waiting', 'building', 'ready', 'failed', 'cancelled']),
  /** 0..1. */
  fraction: z.number(),
  /** What is done now, for people. */
  text: z.string(),
  /** The compiler's first error, with file and line. */
  error: z.string().optional(),
  /** The last lines of the log; only when one build is asked for. */
  lines: z.array(z.string()).optional(),
  manifest: BuildManifest.omit({ request: true }).optional(),
  /** By target: where to fetch it, for an hour. */
  downloads: z.record(z.string(), z.string()).optional(),
})
export type Build = z.infer<typeof Build>

const Asked = z.object({ hash: z.string(), request: BuildRequest, requestedAt: z.int() })
export type AskedBuild = z.infer<typeof Asked>

/** Who asked for which build. Builds themselves belong to nobody: equal requests of two organisations are one build. */
export function askedBuilds(bucket: Bucket) {
  const key = (organisation: string, hash: string) => `asked-builds/${organisation}/${hash}.json`
  const read = async (at: string): Promise<AskedBuild | undefined> => Asked.safeParse(await bucket.getDocument(at)).data
  return {
    find: (organisation: string, hash: string) => read(key(organisation, hash)),
    async add(organisation: string, asked: AskedBuild): Promise<AskedBuild> {
      const before = await read(key(organisation, asked.hash))
      if (before) return before
      await bucket.putDocument(key(organisation, asked.hash), asked)
      return asked
    },
    /** Newest first. */
    async list(organisation: string): Promise<AskedBuild[]> {
      const found: AskedBuild[] = []
      for await (const at of bucket.listDocuments(`asked-builds/${organisation}/`)) {
        const asked = await read(at)
        if (asked) found.push(asked)
      }
      return found.sort((a, b) => b.requestedAt - a.requestedAt)
    },
    remove: (organisation: string, hash: string) => bucket.deleteDocument(key(organisation, hash)),
  }
}

/** The manifest outlives the job: once it is there, the build is ready, whatever became of the job's record. */
export function describeBuild(asked: AskedBuild, manifest: BuildManifest | undefined, job: JobStatus | undefined): Build {
  if (manifest) {
    const { request: _, ...shown } = manifest
    return { ...asked, state: 'ready', fraction: 1, text: 'ready', manifest: shown }
  }
  const state = job === undefined || job.state === 'completed' ? 'failed' : job.state === 'active' ? 'building' : job.state
  const error = job?.error ?? (state === 'failed' ? 'the build was lost with the job queue; ask for it again' : undefined)
  return { ...asked, state, fraction: job?.fraction ?? 0, text: job?.text ?? '', ...(error === undefined ? {} : { error }) }
}

export async function showBuild(
  { bucket, status }: { bucket: Bucket; status: (id: string) => Promise<JobStatus | undefined> },
  asked: AskedBuild,
): Promise<Build> {
  const manifest = await findBuild(bucket, asked.hash)
  return describeBuild(asked, manifest, manifest ? undefined : await status(asked.hash))
}
