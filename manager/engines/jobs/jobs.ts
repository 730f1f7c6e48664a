import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { type Job, Queue, QueueEvents, type QueueEventsListener } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { RedisServer } from '../bus/redis.ts'
import { decodeLine, KEPT_LINES, type LogLine } from './log-lines.ts'
import { whyUnserved } from './presence.ts'
import { bullName, cancelKey, KEY_PREFIX, QUEUES, type QueueName } from './queues.ts'
import type { JobContext } from './run-job.ts'
import { type JobState, type JobStatus, STATES, statusOf, typesOf } from './status.ts'
import { LINES, type QueueWorker, startWorker } from './workers.ts'

export type { LogLine } from './log-lines.ts'
export type { JobContext } from './run-job.ts'
export type { JobState, JobStatus } from './status.ts'

/** What `defineJob` returns; carries the data's type to `enqueue`. */
export interface JobKind<T> {
  readonly name: string
  readonly schema: z.ZodType<T>
  /** `default` unless told. */
  readonly queue?: QueueName | undefined
}

/**
 * Long work in the background, on Redis. Redis is a pipe: what a job makes lies in the bucket (with a manifest), and a handler
 * begins by looking whether that is there already. So a lost or repeated job costs time only.
 */
export interface Jobs extends Service {
  /** Call before `start`, in every process that asks for the job or works on its queue. The handler may run again after a crash. */
  defineJob<T>(
    name: string,
    schema: z.ZodType<T>,
    handler: (data: T, context: JobContext) => Promise<void>,
    options?: { queue?: QueueName },
  ): JobKind<T>
  /**
   * `id`: hash of the request (letters, digits, - and _), so that the same request twice is one job, in whatever queue. A job that has
   * ended (however) is queued anew. Throws ZodError on wrong data. Returns the id.
   */
  enqueue<T>(kind: JobKind<T>, data: T, options: { id: string }): Promise<string>
  status(id: string): Promise<JobStatus | undefined>
  /** Lines of its log that came after the one with the id `after` (0: all that are kept), oldest first; none when there is no such job. */
  linesAfter(id: string, after: number): Promise<LogLine[]>
  /**
   * False when there is no such job, or it has ended. A running handler, in whatever process, learns it by its signal within a second and
   * may still end otherwise.
   */
  cancel(id: string): Promise<boolean>
  /** Newest first. */
  list(options?: { states?: readonly JobState[]; limit?: number }): Promise<JobStatus[]>
  /** Called with the job's id at each change of any job. Returns the end of it. */
  onChange(listener: (id: string) => void): () => void
  /** The status now and after each change, up to and including the last one (for server-sent events). Ends when `signal` aborts. */
  follow(id: string, signal?: AbortSignal): AsyncIterable<JobStatus>
}

interface NewLines extends QueueEventsListener {
  [LINES]: (change: { jobId: string }, id: string) => void
}
/** Of this process: running now, and ended since its start. */
export interface Counts {
  running: number
  completed: number
  failed: number
}
interface Parts {
  queues: ReadonlyMap<QueueName, Queue>
  events: readonly QueueEvents[]
  workers: readonly QueueWorker[]
  shared: Redis
  connections: readonly Redis[]
}

const KEEP = { age: 7 * 86_400, count: 1_000 }
const SHOWN_LINES = 50
/** Looked at first for new lines: mostly few have come. */
const NEW_LINES = 100
const CANCEL_SECONDS = 86_400
/** A handler that does not heed its signal is left behind after this; its job runs again at the next start. */
const STOP_MS = 10_000
const CLOSE_MS = 2_000
const JobId = z.string().regex(/^(?!\d+$)[\w-]{1,128}$/, 'expected a job id of at most 128 letters, digits, - and _, with a letter in it')

/**
 * `queues`: those that this process may see (all; a worker's Redis user sees only its own). `work`: those whose jobs it runs (all that it
 * sees), `concurrency` at a time each.
 */
export function createJobs({
  redis,
  log,
  clock,
  concurrency = 2,
  queues: seen = QUEUES,
  work = seen,
}: {
  redis: Pick<RedisServer, 'connect'>
  log: Log
  clock: Clock
  concurrency?: number
  queues?: readonly QueueName[]
  work?: readonly QueueName[]
}): Jobs & { counts(): Counts } {
  const handlers = new Map<string, (data: unknown, context: JobContext) => Promise<void>>()
  const listeners = new Set<(id: string) => void>()
  const stopping = { now: false }
  let counted: readonly QueueWorker[] = []
  let parts: Parts | undefined

  const failed = (error: unknown) => log.debug('jobs.connection_error', { error })
  const running = (): Parts => {
    if (!parts) throw new Error('jobs were used before they were started')
    return parts
  }
  function queueNamed(name: QueueName): Queue {
    const queue = running().queues.get(name)
    if (!queue) throw new Error(`this process does not see the queue "${name}"`)
    return queue
  }

  async function inTime(part: string, closing: Promise<unknown>, ms: number): Promise<void> {
    const ended = closing.catch(failed).then(() => true)
    if (!(await Promise.race([ended, clock.sleep(ms).then(() => false)]))) log.warn('jobs.stop_forced', { part, afterMs: ms })
  }

  async function find(id: string): Promise<{ name: QueueName; queue: Queue; job: Job } | undefined> {
    const found = await Promise.all(
      [...running().queues].map(async ([name, queue]) => ({ name, queue, job: (await queue.getJob(id)) as Job | undefined })),
    )
    for (const { name, queue, job } of found) if (job) return { name, queue, job }
    return undefined
  }

  async function status(id: string): Promise<JobStatus | undefined> {
    const where = await find(id)
    if (!where) return undefined
    const state = await where.queue.getJobState(id) // before the rest: what a final state tells is then surely read
    const job: Job | undefined = await where.queue.getJob(id)
    if (!job) return undefined
    const { logs } = await where.queue.getJobLogs(id, -SHOWN_LINES, -1)
    return statusOf(job, where.name, state, logs, await whyUnserved(running().shared, where.name))
  }

  return {
    name: 'jobs',
    async start() {
      stopping.now = false
      const connections: Redis[] = []
      const connect = () => {
        const one = redis.connect({ maxRetriesPerRequest: null, blockingTimeout: 15_000, blockingTimeoutGrace: 2_000 })
        connections.push(one)
        return one
      }
      const shared = connect()
      const queues = new Map(seen.map((name) => [name, new Queue(bullName(name), { connection: shared, prefix: KEY_PREFIX })]))
      const events = seen.map((name) => new QueueEvents(bullName(name), { connection: connect(), prefix: KEY_PREFIX }))
      const workers = work.map((queue) =>
        startWorker(queue, { connection: connect(), shared, handlers, stopping, concurrency, failed, clock, log }),
      )
      counted = workers
      parts = { queues, events, workers, shared, connections }
      const tell = ({ jobId }: { jobId: string }) => {
        for (const listener of listeners) listener(jobId)
      }
      for (const queue of queues.values()) queue.on('error', failed)
      for (const one of events) {
        one.on('error', failed)
        for (const event of ['waiting', 'active', 'progress', 'completed', 'failed', 'removed'] as const) one.on(event, tell)
        one.on<NewLines>(LINES, tell)
      }
      await Promise.all([
        ...[...queues.values(), ...events].map((part) => part.waitUntilReady()),
        ...workers.map((worker) => worker.ready()),
      ])
    },
    async stop() {
      if (!parts) return
      const { queues, events, workers, connections } = parts
      stopping.now = true
      await Promise.all(workers.map((worker) => inTime(`worker ${worker.queue}`, worker.close(), STOP_MS)))
      // A blocking read that Redis's end has interrupted may never settle (taskforcesh/bullmq#4484): closing must not wait for it.
      await Promise.all(events.map((one) => inTime(`events ${one.name}`, one.close(), CLOSE_MS)))
      await Promise.all([...queues].map(([name, queue]) => inTime(`queue ${name}`, queue.close(), CLOSE_MS)))
      parts = undefined
      for (const connection of connections) connection.disconnect()
    },
    defineJob(name, schema, handler, { queue = 'default' } = {}) {
      if (handlers.has(name)) throw new Error(`two jobs are named "${name}"`)
      handlers.set(name, (data, context) => handler(schema.parse(data), context))
      return { name, schema, queue }
    },
    async enqueue(kind, data, { id }) {
      JobId.parse(id)
      kind.schema.parse(data)
      const queue = queueNamed(kind.queue ?? 'default')
      const before = await find(id)
      if (before?.job.finishedOn !== undefined) {
        await before.job.remove()
        await running().shared.del(cancelKey(before.name, id))
      } else if (before && before.queue !== queue) return id // asked for by a version that had it in another queue
      await queue.add(kind.name, data, { jobId: id, removeOnComplete: KEEP, removeOnFail: KEEP, keepLogs: KEPT_LINES })
      return id
    },
    status,
    async linesAfter(id, after) {
      const where = await find(id)
      if (!where) return []
      for (const count of [NEW_LINES, KEPT_LINES]) {
        const { logs } = await where.queue.getJobLogs(id, -count, -1)
        const lines = logs.map(decodeLine)
        if (lines.length < count || (lines[0]?.id ?? 0) <= after || count === KEPT_LINES) return lines.filter((line) => line.id > after)
      }
      return []
    },
    async cancel(id) {
      const where = await find(id)
      if (!where || where.job.finishedOn !== undefined) return false
      const { workers, shared } = running()
      if (workers.some((worker) => worker.cancel(id))) return true
      const mark = cancelKey(where.name, id)
      await shared.set(mark, '1', 'EX', CANCEL_SECONDS) // first of all: another process may take the job at this moment
      if (await where.job.isActive()) return true
      try {
        await where.job.remove()
        await shared.del(mark)
        return true
      } catch (error) {
        if (await where.job.isActive()) return true // taken meanwhile; that process sees the mark
        if ((await where.queue.getJob(id))?.finishedOn !== undefined) return false
        throw error
      }
    },
    async list({ states = STATES, limit = 100 } = {}) {
      const { queues, shared } = running()
      const found = await Promise.all(
        [...queues].map(async ([name, queue]) => {
          const unserved = await whyUnserved(shared, name)
          const ofType = async (type: ReturnType<typeof typesOf>[number]) =>
            ((await queue.getJobs([type], 0, limit - 1)) as Job[]).map((job) => statusOf(job, name, type, [], unserved))
          return (await Promise.all(typesOf(states).map(ofType))).flat()
        }),
      )
      return found
        .flat()
        .filter((job) => states.includes(job.state))
        .sort((one, other) => other.createdAt - one.createdAt)
        .slice(0, limit)
    },
    counts: () => ({ running: total(counted, 'running'), completed: total(counted, 'completed'), failed: total(counted, 'failed') }),
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

function total(workers: readonly QueueWorker[], what: keyof Counts): number {
  return workers.reduce((sum, worker) => sum + worker.counts[what], 0)
}
