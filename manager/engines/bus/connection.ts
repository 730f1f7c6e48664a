import type { Log } from '@bridgehead/shared/log.ts'
import { Redis, type RedisOptions } from 'ioredis'

/** Waits before reconnecting (ms): full jitter, so that many connections do not come back at one instant. */
export function retryDelayMs(times: number, random: () => number): number {
  const bound = Math.min(2_000, 50 * 2 ** Math.min(times, 10))
  return Math.round(20 + random() * bound)
}

export type ConnectOptions = Omit<RedisOptions, 'replyMapping'>

/** Opens connections to one server; errors are logged, and the connection comes back by itself until `disconnect()`. */
export type Opener = (options?: ConnectOptions) => Redis

/** `target`: URL, or host/path with credentials. */
export function opener(target: string | ConnectOptions, log: Log): Opener {
  return (extra = {}) => {
    const options: ConnectOptions = {
      protocol: 2, // one reply shape on every server version
      connectTimeout: 5_000,
      retryStrategy: (times) => retryDelayMs(times, Math.random),
      ...(typeof target === 'string' ? {} : target),
      ...extra,
    }
    const redis = typeof target === 'string' ? new Redis(target, options) : new Redis(options)
    return redis.on('error', (error) => log.debug('redis.connection_error', { error }))
  }
}

/** Resolves once a lazy connection answers; throws its last error after `timeoutMs`, when the login is refused, or when `signal` aborts. */
export async function waitReady(
  redis: Redis,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<void> {
  let last: Error | undefined
  const refused = new AbortController()
  const limit = AbortSignal.any([AbortSignal.timeout(timeoutMs), refused.signal, ...(signal ? [signal] : [])])
  const remember = (error: Error) => {
    last = error
    if (/^(WRONGPASS|NOAUTH)/.test(error.message)) refused.abort()
  }
  redis.on('error', remember)
  try {
    await new Promise<void>((resolve, reject) => {
      const failed = () => reject(last ?? new Error(`Redis did not answer within ${timeoutMs} ms`))
      redis.once('ready', resolve)
      redis.once('end', failed)
      limit.addEventListener('abort', failed, { once: true })
      redis.connect().catch(remember)
    })
  } finally {
    redis.off('error', remember)
  }
}
