import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { z } from 'zod'
import type { RedisServer } from '../bus/redis.ts'

export type JobState = 'waiting' | 'active' | 'completed' | 'failed' | 'cancelled'
export interface JobStatus {
  id: string
  name: string
  state: JobState
  /** 0..1. */
  fraction: number
  /** What it does now, for people. */
  text: string
  /** The last lines of its log. */
  lines: string[]
  /** Why it failed. */
  error?: string | undefined
  /** Epoch ms. */
  createdAt: number
  startedAt?: number | undefined
  finishedAt?: number | undefined
}

export interface JobContext {
  id: string
  progress(fraction: number, text: string): Promise<void>
  log(line: string): Promise<void>
  /** Aborts when the job is cancelled or the manager stops. */
  signal: AbortSignal
}

/** What `defineJob` returns; carries the data's type to `enqueue`. */
export interface JobKind<T> {
  readonly name: string
  readonly schema: z.ZodType<T>
}

/**
 * Long work in the background, on Redis. Redis is a pipe: what a job makes lies in the bucket (with a manifest), and a handler
 * begins by looking whether that is there already. So a lost or repeated job costs time only.
 */
export interface Jobs extends Service {
  /** Call before `start`. The handler may run again after a crash. */
  defineJob<T>(name: string, schema: z.ZodType<T>, handler: (data: T, context: JobContext) => Promise<void>): JobKind<T>
  /**
   * `id`: hash of the request (letters, digits, - and _), so that the same request twice is one job. A job that has ended (however) is
   * queued anew. Throws ZodError on wrong data. Returns the id.
   */
  enqueue<T>(kind: JobKind<T>, data: T, options: { id: string }): Promise<string>
  status(id: string): Promise<JobStatus | undefined>
  /** False when there is no such job or it has ended. */
  cancel(id: string): Promise<boolean>
  /** Newest first. */
  list(options?: { states?: readonly JobState[]; limit?: number }): Promise<JobStatus[]>
  /** Called with the job's id at each change of any job. Returns the end of it. */
  onChange(listener: (id: string) => void): () => void
  /** The status now and after each change, up to and including the last one (for server-sent events). Ends when `signal` aborts. */
  follow(id: string, signal?: AbortSignal): AsyncIterable<JobStatus>
}

export declare function createJobs(deps: { redis: RedisServer; log: Log; concurrency?: number }): Jobs
