import { z } from 'zod'
import type { Bucket } from '../bucket/bucket.ts'
import type { JobStatus } from './status.ts'

/** What each room keeps of a request, beside what is asked for. */
export const Asked = z.object({
  /** Names what is asked for, and the job that makes it. */
  hash: z.string(),
  /** Epoch ms of the first request. */
  requestedAt: z.int(),
})
export type Asked = z.infer<typeof Asked>

/** How far the making of something is: the part of an answer that is alike in all rooms. */
export const Progress = z.object({
  state: z.enum(['waiting', 'making', 'ready', 'failed', 'cancelled']),
  /** 0..1. */
  fraction: z.number(),
  /** What is done now, for people. */
  text: z.string(),
  /** Why it failed; of a compiler, its first error with file and line. */
  error: z.string().optional(),
  /** The last lines of the log; only when one thing is asked for. */
  lines: z.array(z.string()).optional(),
})
export type Progress = z.infer<typeof Progress>
/** Something that is or was made, whatever it is: its name, and how far it is. */
export type Made = Pick<Asked, 'hash'> & Progress

/** Who asked for what. What is made belongs to nobody: equal requests of two organisations are made once, yet neither sees the other's. */
export interface Requests<T extends Asked> {
  /** The one that is there already, when this organisation has asked before. */
  add(organisation: string, request: T): Promise<T>
  find(organisation: string, hash: string): Promise<T | undefined>
  /** Newest first. */
  list(organisation: string): Promise<T[]>
  remove(organisation: string, hash: string): Promise<void>
}

/** Kept as the documents `{folder}/{organisation}/{hash}.json` of the bucket. */
export function requestsIn<T extends Asked>(
  bucket: Pick<Bucket, 'getDocument' | 'putDocument' | 'listDocuments' | 'deleteDocument'>,
  folder: string,
  schema: z.ZodType<T>,
): Requests<T> {
  const key = (organisation: string, hash: string) => `${folder}/${organisation}/${hash}.json`
  const read = async (at: string) => schema.safeParse(await bucket.getDocument(at)).data
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
      const found: T[] = []
      for await (const at of bucket.listDocuments(`${folder}/${organisation}/`)) {
        const request = await read(at)
        if (request) found.push(request)
      }
      return found.sort((one, other) => other.requestedAt - one.requestedAt)
    },
    remove: (organisation, hash) => bucket.deleteDocument(key(organisation, hash)),
  }
}

/** `ready` once what was made is there: it outlives its job, so the job is then not looked at. */
export function progressOf(job: JobStatus | 'ready' | undefined): Progress {
  if (job === 'ready') return { state: 'ready', fraction: 1, text: 'ready' }
  // Completed, and yet not there: it was deleted, or the queue remembers what the bucket has lost.
  const state = job === undefined || job.state === 'completed' ? 'failed' : job.state === 'active' ? 'making' : job.state
  const error = job?.error ?? (state === 'failed' ? 'it was lost, or the job queue was; ask for it again' : undefined)
  return { state, fraction: job?.fraction ?? 0, text: job?.text ?? '', ...(error === undefined ? {} : { error }) }
}
