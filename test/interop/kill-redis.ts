import type { RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import type { Redis } from 'ioredis'

/** Process number of the server at the other end. */
export async function redisPid(connection: Pick<Redis, 'info'>): Promise<number> {
  return Number(/process_id:(\d+)/.exec(await connection.info('server'))?.[1])
}

/** kill -9 at any moment, with whatever is in its memory alone. */
export const killRedisNow = async (connection: Pick<Redis, 'info'>) => process.kill(await redisPid(connection), 'SIGKILL')

/**
 * kill -9 once nothing that it took is in its memory alone: it holds writes back for up to 2 s while the disk syncs.
 * Resolves when it is back.
 */
export async function killRedis(redis: RedisServer): Promise<void> {
  const admin = redis.connect()
  while (!(await admin.info('persistence')).includes('aof_buffer_length:0\r')) await systemClock.sleep(20)
  const back = new Promise<void>((resolve) => {
    const forget = redis.onRestart(() => {
      forget()
      resolve()
    })
  })
  await killRedisNow(admin)
  await back
  admin.disconnect()
}
