import { access, constants, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { machineApt } from './engines/apt/apt.ts'
import type { Bucket } from './engines/bucket/bucket.ts'
import { createFilesystemBucket } from './engines/bucket/filesystem.ts'
import { createS3Bucket } from './engines/bucket/s3.ts'
import { type ConnectOptions, type Opener, opener, waitReady } from './engines/bus/connection.ts'
import { createJobs, type Jobs } from './engines/jobs/jobs.ts'
import type { QueueName } from './engines/jobs/queues.ts'
import { type JobDeps, registerJobs } from './register-jobs.ts'
import type { WorkerConfig } from './worker-config.ts'

export interface WorkerOptions {
  queues: readonly QueueName[]
  /** Jobs at a time, of each queue. */
  concurrency: number
  log: Log
  clock?: Clock
  /** Every kind of job there is, unless told (tests). */
  register?: (jobs: Jobs, deps: JobDeps) => void
}

const REDIS_MS = 15_000
const ALIVE_EVERY_MS = 60_000

/**
 * A process that works on queues, on any machine that reaches Redis and the bucket. It keeps nothing: killed at any moment, its jobs are run
 * again elsewhere. `start` throws when Redis does not answer or refuses the login.
 */
export function createWorker(
  config: WorkerConfig,
  { queues, concurrency, log, clock = systemClock, register = registerJobs }: WorkerOptions,
): Service {
  let stop = async () => {}
  return {
    name: 'worker',
    async start() {
      const connect = opener(await redisTarget(config.redis), log)
      const bucket = await openBucket(config, clock)
      const watch = connect({ lazyConnect: true, connectionName: 'worker', enableReadyCheck: false })
      try {
        await reach(watch)
      } catch (error) {
        watch.disconnect()
        throw error
      }
      const jobs = createJobs({ redis: { connect: withoutReadyCheck(connect) }, log, clock, concurrency, queues })
      register(jobs, { bucket, apt: machineApt(), clock, log, workDirectory: config.work })
      await jobs.start()
      log.info('worker.ready', { queues, concurrency, redis: shown(config.redis), bucket: shownBucket(config.bucket), pid: process.pid })

      const since = clock.now()
      const endAlive = clock.every(ALIVE_EVERY_MS, () =>
        log.info('worker.alive', { ...jobs.counts(), redis: watch.status === 'ready' ? 'up' : 'away', upMs: clock.now() - since }),
      )
      let stopping = false
      watch.on('close', () => !stopping && log.warn('worker.redis_lost'))
      watch.on('ready', () => log.info('worker.redis_back'))
      stop = async () => {
        stopping = true
        endAlive()
        await jobs.stop()
        watch.disconnect()
        log.info('worker.stopped', { ...jobs.counts() })
        stop = async () => {}
      }
    },
    stop: () => stop(),
  }
}

async function reach(watch: ReturnType<Opener>): Promise<void> {
  try {
    await waitReady(watch, { timeoutMs: REDIS_MS })
    await watch.ping()
  } catch (cause) {
    throw new Error(`Redis: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

async function redisTarget(redis: WorkerConfig['redis']): Promise<string | ConnectOptions> {
  if ('url' in redis) return redis.url
  const password = await readFile(redis.passwordFile, 'utf8').catch((cause: unknown) => {
    throw new Error(`no manager's Redis here (${redis.passwordFile}); start the manager first, or set REDIS_URL`, { cause })
  })
  return { path: redis.socket, username: redis.username, password: password.trim() }
}

/** ioredis asks INFO until the server has loaded its file; the server refuses commands until then anyway, and they are sent again. */
function withoutReadyCheck(connect: Opener): Opener {
  return (options) => connect({ enableReadyCheck: false, ...options })
}

/** Throws when it is out of reach: better no worker than one whose jobs all fail, or whose artifacts nobody finds. */
export async function openBucket(config: WorkerConfig, clock: Clock): Promise<Bucket> {
  const failed = (cause: unknown) => {
    throw new Error(`the bucket ${shownBucket(config.bucket)}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  if ('s3' in config.bucket) {
    const bucket = createS3Bucket({ ...config.bucket.s3, temporary: join(config.work, 'tmp'), clock })
    await bucket.getDocument('worker-looks-at-the-bucket.json').catch(failed)
    return bucket
  }
  await access(config.bucket.directory, constants.R_OK | constants.W_OK | constants.X_OK).catch(failed)
  // Links are the manager's: it has the key.
  const presigner = {
    sign: () => {
      throw new Error('a worker makes no links')
    },
    verify: () => ({ ok: false as const, why: 'a worker checks no links' }),
  }
  return createFilesystemBucket({ directory: config.bucket.directory, presigner, clock })
}

/** Without credentials. */
function shown(redis: WorkerConfig['redis']): string {
  return 'url' in redis ? new URL(redis.url).host : redis.socket
}
function shownBucket(bucket: WorkerConfig['bucket']): string {
  return 's3' in bucket ? `${bucket.s3.host}:${bucket.s3.port}/${bucket.s3.bucket}/${bucket.s3.prefix}` : bucket.directory
}
