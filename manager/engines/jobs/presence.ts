import type { Clock } from '@bridgehead/shared/clock.ts'
import { type QueueName, servedKey, WORKER_QUEUES } from './queues.ts'

/** As much of Redis as is needed. */
export interface Keys {
  set(key: string, value: string, unit: 'PX', ms: number): Promise<unknown>
  exists(key: string): Promise<number>
}

const EVERY_MS = 5_000
/** A queue counts as served for so long after its last worker was killed. */
const KEPT_MS = 15_000

/** Says, again and again, that this process works on the queue. The first promise resolves once it is said; `end` leaves the rest to expire. */
export function keepPresent(
  redis: Pick<Keys, 'set'>,
  queue: QueueName,
  { clock, failed }: { clock: Clock; failed: (error: unknown) => void },
): { said: Promise<void>; end(): void } {
  let saying: Promise<void> | undefined
  const say = () => {
    // While Redis is away, commands wait for it: one of these is enough.
    saying ??= redis
      .set(servedKey(queue), '1', 'PX', KEPT_MS)
      .then(() => undefined, failed)
      .finally(() => {
        saying = undefined
      })
    return saying
  }
  return { said: say(), end: clock.every(EVERY_MS, say) }
}

/** Why a job of this queue waits, when nobody works on the queue; undefined otherwise. */
export async function whyUnserved(redis: Pick<Keys, 'exists'>, queue: QueueName): Promise<string | undefined> {
  if (!WORKER_QUEUES.some((one) => one === queue) || (await redis.exists(servedKey(queue))) === 1) return undefined
  return `waits: no worker serves the queue "${queue}"; start one with "bridgehead worker --queues ${queue}"`
}
