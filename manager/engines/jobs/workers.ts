import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { QueueEventsProducer, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { keepPresent } from './presence.ts'
import { bullName, cancelKey, KEY_PREFIX, type QueueName } from './queues.ts'
import { CANCELLED, type Handlers, runJob } from './run-job.ts'

/** So often a job's process may die before the job is held to be the cause. */
const MAX_DEATHS = 30

/** The event by which followers learn of new lines. */
export const LINES = 'lines'

/** One queue's work in this process. */
export interface QueueWorker {
  readonly queue: QueueName
  ready(): Promise<unknown>
  /** Running now, and ended since the start. */
  readonly counts: { running: number; completed: number; failed: number }
  /** False when the job does not run here. */
  cancel(id: string): boolean
  /** Jobs under way are put back; resolves once none is left. */
  close(): Promise<void>
}

/** `connection` is for this worker alone; `shared` may serve others too. */
export function startWorker(
  queue: QueueName,
  {
    connection,
    shared,
    handlers,
    stopping,
    concurrency,
    failed,
    clock,
    log,
  }: {
    connection: Redis
    shared: Redis
    handlers: Handlers
    stopping: { readonly now: boolean }
    concurrency: number
    failed: (error: unknown) => void
    clock: Clock
    log: Log
  },
): QueueWorker {
  const counts = { running: 0, completed: 0, failed: 0 }
  const producer = new QueueEventsProducer(bullName(queue), { connection: shared, prefix: KEY_PREFIX })
  producer.on('error', failed)
  const worker = new Worker(
    bullName(queue),
    async (job, token, signal) => {
      counts.running++
      await runJob(job, token, signal, {
        handlers,
        stopping,
        cancelWanted: async (id) => (await shared.exists(cancelKey(queue, id))) === 1,
        cancel: (id) => void worker.cancelJob(id, CANCELLED),
        newLines: (jobId) => producer.publishEvent({ eventName: LINES, jobId }, 10_000),
        failed,
        clock,
      }).finally(() => counts.running--)
    },
    {
      connection,
      prefix: KEY_PREFIX,
      concurrency,
      // A job of a killed process runs again after at most the sum of these.
      lockDuration: 8_000,
      stalledInterval: 5_000,
      maxStalledCount: MAX_DEATHS,
    },
  )
  worker.on('error', failed)
  worker.on('active', (job) => log.info('job.started', { job: job.id, kind: job.name }))
  worker.on('completed', (job) => {
    counts.completed++
    log.info('job.completed', { job: job.id, kind: job.name, ms: (job.finishedOn ?? 0) - (job.processedOn ?? 0) })
  })
  worker.on('failed', (job, error) => {
    counts.failed++
    log.warn('job.failed', { job: job?.id, kind: job?.name, error })
  })
  worker.on('stalled', (job) => log.warn('job.orphaned', { job }))
  // This process was away too long (stopped, swapped out): another one runs the job by now.
  worker.on('lockRenewalFailed', (jobs) => {
    for (const job of jobs) if (worker.cancelJob(job, 'another process has this job now')) log.warn('job.lost', { job })
  })
  const present = keepPresent(shared, queue, { clock, failed })
  return {
    queue,
    counts,
    ready: () => Promise.all([worker.waitUntilReady(), producer.waitUntilReady(), present.said]),
    cancel: (id) => worker.cancelJob(id, CANCELLED),
    async close() {
      present.end()
      const closed = worker.close() // first, or it would take back at once what is put back
      worker.cancelAllJobs('this process stops')
      await closed
      await producer.close()
    },
  }
}
