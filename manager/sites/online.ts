import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Presence } from '@bridgehead/shared/model/redis-keys.ts'
import type { Site } from './model.ts'

/** What the appliances of these sites say of themselves now, in one read. Rejects when nobody can know: Redis is away. */
export type ReadPresences = (sites: readonly string[]) => Promise<Map<string, Presence>>

/** Pages must not wait for a Redis that is away. */
const WAIT_MS = 1_000

/** The same, with an end to patience. */
export function impatient(read: ReadPresences, clock: Clock): ReadPresences {
  return async (sites) => {
    const done = new AbortController()
    const limit = clock.sleep(WAIT_MS, done.signal).then(() => {
      throw new Error(`Redis did not answer within ${WAIT_MS} ms`)
    })
    const answer = read(sites)
    for (const loser of [answer, limit]) loser.catch(() => undefined) // the race has the first word
    try {
      return await Promise.race([answer, limit])
    } finally {
      done.abort()
    }
  }
}

export function onlineOf(presence: Presence | undefined): NonNullable<Site['online']> | undefined {
  if (!presence) return undefined
  const { at, version, revision, outbox, health } = presence
  return { at, version, revision, outbox, ...(health ? { health: { ok: health.ok, services: health.services } } : {}) }
}
