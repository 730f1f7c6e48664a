import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Presence } from '@bridgehead/shared/model/redis-keys.ts'
import type { Site } from './model.ts'

/** What the appliances of these sites say of themselves now, in one read. */
export type ReadPresences = (sites: readonly string[]) => Promise<Map<string, Presence>>

/** Pages must not wait for a Redis that is away: then nobody knows who is online. */
const WAIT_MS = 1_000

/** Never rejects; empty when Redis is away. */
export function patientPresences(read: ReadPresences, clock: Clock): ReadPresences {
  return async (sites) => {
    const done = new AbortController()
    const none = () => new Map<string, Presence>()
    try {
      return await Promise.race([read(sites).catch(none), clock.sleep(WAIT_MS, done.signal).then(none)])
    } finally {
      done.abort()
    }
  }
}

export function onlineOf(presence: Presence | undefined): NonNullable<Site['online']> | undefined {
  return presence && { at: presence.at, version: presence.version, revision: presence.revision, outbox: presence.outbox }
}
