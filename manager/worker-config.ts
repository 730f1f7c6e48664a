import { join, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigError, s3Place } from './config.ts'
import type { S3Place } from './engines/bucket/s3-url.ts'
import { WORKER } from './engines/bus/worker-user.ts'
import { workerPasswordFile } from './engines/jobs/worker-access.ts'

const Environment = z.object({
  BRIDGEHEAD_DATA: z.string().min(1, 'expected a directory').optional(),
  BRIDGEHEAD_BUCKET: z.string().min(1, 'expected a directory').optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'expected redis://host:port or rediss://host:port' }).optional(),
  S3_URL: z.string().optional(),
  BRIDGEHEAD_LOG: z.enum(['debug', 'info', 'warn', 'error', 'silent'], 'expected debug, info, warn, error or silent').default('info'),
})

/** A worker's settings. */
export interface WorkerConfig {
  /** Absolute path of its work directory, which lasts: warm trees, sources. */
  readonly work: string
  /** `socket`: of the manager's own Redis, on this machine. */
  readonly redis: { readonly url: string } | { readonly socket: string; readonly username: string; readonly passwordFile: string }
  readonly bucket: { readonly directory: string } | { readonly s3: S3Place }
  readonly log: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** Reads the environment of `bridgehead worker`; an empty variable counts as unset. Throws ConfigError, which names the variables. */
export function readWorkerConfig(env: Readonly<Record<string, string | undefined>>): WorkerConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const read = Environment.safeParse(given)
  if (!read.success) throw new ConfigError(read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'))
  const { REDIS_URL: url, S3_URL: s3, BRIDGEHEAD_BUCKET: directory, BRIDGEHEAD_LOG: log } = read.data
  if (s3 !== undefined && directory !== undefined) throw new ConfigError('BRIDGEHEAD_BUCKET, S3_URL: expected one of them, got both')
  if (url !== undefined && s3 === undefined && directory === undefined)
    throw new ConfigError("S3_URL or BRIDGEHEAD_BUCKET: with REDIS_URL, a worker must be told where the manager's bucket is")
  const data = resolve(read.data.BRIDGEHEAD_DATA ?? (url === undefined ? '.bridgehead/manager' : '.bridgehead/worker'))
  const redis = join(data, 'redis')
  return Object.freeze({
    work: join(data, 'work'),
    redis: url === undefined ? { socket: join(redis, 'redis.sock'), username: WORKER, passwordFile: workerPasswordFile(redis) } : { url },
    bucket: s3 === undefined ? { directory: resolve(directory ?? join(data, 'bucket')) } : { s3: s3Place(s3, given) },
    log,
  })
}
