import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { type Job, Queue, QueueEvents, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { RedisServer } from '../bus/redis.ts'
import { CANCELLED, type JobContext, runJob } from './run-job.ts'

export type { JobContext } from './run-job.ts'

export type JobState = 'waiting' | 'active' | 'completed' | 'failed' | 'cancelled'
export interface JobStatus {
  id: string
  name: string
  state: JobState
  /** 0..1. */
  fraction: number
  /** What it does now, for people. */
  text: string
  /** The last lines of its log; empty in `list`. */
  lines: string[]
  /** Why it failed. */
  error?: string | undefined
  /** Epoch ms. */
  createdAt: number
  startedAt?: number | undefined
  finishedAt?: number | undefined
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
  /** False when there is no such job, or it has ended. A running handler learns it by its signal and may still end otherwise. */
  cancel(id: string): Promise<boolean>
  /** Newest first. */
  list(options?: { states?: readonly JobState[]; limit?: number }): Promise<JobStatus[]>
  /** Called with the job's id at each change of any job. Returns the end of it. */
  onChange(listener: (id: string) => void): () => void
  /** The status now and after each change, up to and including the last one (for server-sent events). Ends when `signal` aborts. */
  follow(id: string, signal?: AbortSignal): AsyncIterable<JobStatus>
}

const QUEUE = 'jobs'
const KEEP = { age: 7 * 86_400, count: 1_000 }
const SHOWN_LINES = 50
/** A handler that does not heed its signal is left behind after this; its job runs again at the next start. */
const STOP_MS = 10_000
const CLOSE_MS = 2_000
const JobId = z.string().regex(/^(?!\d+$)[\w-]{1,128}$/, 'expected a job id of at most 128 letters, digits, - and _, with a letter in it')

export function createJobs({
  redis,
  log,
  clock,
  concurrency = 2,
}: {
  redis: RedisServer
  log: Log
  clock: Clock
  concurrency?: number
}): Jobs {
  const kinds = new Map<string, (data: unknown, context: JobContext) => Promise<void>>()
  const listeners = new Set<(id: string) => void>()
  const stopping = { now: false }
  let parts: { queue: Queue; worker: Worker; events: QueueEvents; connections: Redis[] } | undefined

  const tell = (id: string) => {
    for (const listener of listeners) listener(id)
  }
  const queue = (): Queue => {
    if (!parts) throw new Error('jobs were used before they were started')
    return parts.queue
  }

  async function inTime(part: string, closing: Promise<unknown>, ms: number): Promise<void> {
    const ended = closing.then(
      () => true,
      (error: unknown) => {
        log.debug('jobs.connection_error', { part, error })
        return true
      },
    )
    if (!(await Promise.race([ended, clock.sleep(ms).then(() => false)]))) log.warn('jobs.stop_forced', { part, afterMs: ms })
  }

  async function status(id: string): Promise<JobStatus | undefined> {
    const state = await queue().getJobState(id) // before the rest: what a final state tells is then surely read
    const job: Job | undefined = await queue().getJob(id)
    if (!job) return undefined
    const { logs } = await queue().getJobLogs(id, -SHOWN_LINES, -1)
    return statusOf(job, state, logs)
  }

  return {
    name: 'jobs',
    async start() {
      stopping.now = false
      const connections = [1, 2, 3].map(() =>
        redis.connect({ maxRetriesPerRequest: null, blockingTimeout: 15_000, blockingTimeoutGrace: 2_000 }),
      )
      const [first, second, third] = connections as [Redis, Redis, Redis]
      const worker = new Worker(QUEUE, (job, token, signal) => runJob(job, token, signal, { kinds, stopping, tell, clock }), {
        connection: second,
        concurrency,
        // A job of a killed manager runs again after at most the sum of these.
        lockDuration: 10_000,
        stalledInterval: 5_000,
        maxStalledCount: 5,
      })
      const events = new QueueEvents(QUEUE, { connection: third })
      parts = { queue: new Queue(QUEUE, { connection: first }), worker, events, connections }
      const failed = (error: Error) => log.debug('jobs.connection_error', { error })
      parts.queue.on('error', failed)
      worker.on('error', failed)
      events.on('error', failed)
      for (const event of ['waiting', 'active', 'progress', 'completed', 'failed', 'removed'] as const)
        events.on(event, ({ jobId }: { jobId: string }) => tell(jobId))
      worker.on('active', (job) => log.info('job.started', { job: job.id, kind: job.name }))
      worker.on('completed', (job) =>
        log.info('job.completed', { job: job.id, kind: job.name, ms: (job.finishedOn ?? 0) - (job.processedOn ?? 0) }),
      )
      worker.on('failed', (job, error) => log.warn('job.failed', { job: job?.id, kind: job?.name, error }))
      await Promise.all([parts.queue.waitUntilReady(), worker.waitUntilReady(), events.waitUntilReady()])
    },
    async stop() {
      if (!parts) return
      const { worker, events, connections } = parts
      stopping.now = true
      const closed = worker.close() // first, or it would take back at once what is put back
      worker.cancelAllJobs('the manager stops')
      await inTime('worker', closed, STOP_MS)
      // A blocking read that Redis's end has interrupted may never settle (taskforcesh/bullmq#4484): closing must not wait for it.
      await inTime('events', events.close(), CLOSE_MS)
      await inTime('queue', parts.queue.close(), CLOSE_MS)
      parts = undefined
      for (const connection of connections) connection.disconnect()
    },
    defineJob(name, schema, handler) {
      if (kinds.has(name)) throw new Error(`two jobs are named "${name}"`)
      kinds.set(name, (data, context) => handler(schema.parse(data), context))
      return { name, schema }
    },
    async enqueue(kind, data, { id }) {
      JobId.parse(id)
      kind.schema.parse(data)
      const before: Job | undefined = await queue().getJob(id)
      if (before?.finishedOn !== undefined) await before.remove()
      await queue().add(kind.name, data, { jobId: id, removeOnComplete: KEEP, removeOnFail: KEEP, keepLogs: 1_000 })
      return id
    },
    status,
    async cancel(id) {
      const job: Job | undefined = await queue().getJob(id)
      if (!job || job.finishedOn !== undefined) return false
      if (parts?.worker.cancelJob(id, CANCELLED)) return true
      if (await job.isActive()) return false // runs in another manager process
      await job.remove()
      return true
    },
    async list({ states = STATES, limit = 100 } = {}) {
      const types = [...new Set(states.flatMap((state) => TYPES[state]))]
      const found = await Promise.all(
        types.map(async (type) => ((await queue().getJobs([type], 0, limit - 1)) as Job[]).map((job) => statusOf(job, type, []))),
      )
      return found
        .flat()
        .filter((job) => states.includes(job.state))
        .sort((one, other) => other.createdAt - one.createdAt)
        .slice(0, limit)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async *follow(id, signal) {
      let changed = new AbortController()
      const listener = (other: string) => other === id && changed.abort()
      listeners.add(listener)
      try {
        for (let last: JobStatus | undefined; !signal?.aborted; ) {
          changed = new AbortController()
          const now: JobStatus | undefined = (await status(id)) ?? (last && { ...last, state: 'cancelled' })
          if (!now) return
          if (JSON.stringify(now) !== JSON.stringify(last)) yield now
          if (now.state !== 'waiting' && now.state !== 'active') return
          last = now
          // Looks again by itself, too: an event may be lost while Redis restarts.
          await clock.sleep(2_000, AbortSignal.any([changed.signal, ...(signal ? [signal] : [])]))
        }
      } finally {
        listeners.delete(listener)
      }
    },
  }
}

const STATES: readonly JobState[] = ['waiting', 'active', 'completed', 'failed', 'cancelled']
/** BullMQ's words. */
const TYPES = {
  waiting: ['waiting', 'delayed', 'prioritized'],
  active: ['active'],
  completed: ['completed'],
  failed: ['failed'],
  cancelled: ['failed'],
} as const

const Progress = z.object({ fraction: z.number(), text: z.string() }).catch({ fraction: 0, text: '' })

function statusOf(job: Job, type: string, lines: string[]): JobStatus {
  const cancelled = type === 'failed' && job.failedReason === CANCELLED
  const { fraction, text } = Progress.parse(job.progress)
  return {
    id: job.id ?? '',
    name: job.name,
    state: cancelled ? 'cancelled' : type === 'active' || type === 'completed' || type === 'failed' ? type : 'waiting',
    fraction: type === 'completed' ? 1 : fraction,
    text,
    lines,
    error: type === 'failed' && !cancelled ? job.failedReason : undefined,
    createdAt: job.timestamp,
    startedAt: job.processedOn,
    finishedAt: job.finishedOn,
  }
}
