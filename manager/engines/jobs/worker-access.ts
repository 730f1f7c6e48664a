import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Log } from '@bridgehead/shared/log.ts'
import { randomSecret, secretFile } from '@bridgehead/shared/secret-file.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { RedisServer } from '../bus/redis.ts'
import { queueKeys, WORKER_QUEUES } from './queues.ts'

/** Where a worker on the manager's machine finds the password; it is carried by hand to other machines. */
export const workerPasswordFile = (redisDirectory: string): string => join(redisDirectory, 'worker-password')

/**
 * Lets workers log in to the manager's own Redis, as a user of their own. Start it after Redis; on a Redis of the operator's (`socketPath`
 * absent) it does nothing, for there he gives out the users.
 */
export function createWorkerAccess({ redis, directory, log }: { redis: RedisServer; directory: string; log: Log }): Service {
  let forget = () => {}
  return {
    name: 'worker access',
    async start() {
      if (redis.socketPath === undefined) return
      const secret = await secretFile(workerPasswordFile(directory), randomSecret)
      const allow = () => redis.setWorkerUser(createHash('sha256').update(secret).digest('hex'), WORKER_QUEUES.map(queueKeys))
      await allow()
      forget = redis.onRestart(allow)
      log.debug('jobs.workers_allowed', { queues: WORKER_QUEUES })
    },
    async stop() {
      forget()
    },
  }
}
