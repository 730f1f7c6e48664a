import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Presence } from '@bridgehead/shared/model/redis-keys.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { RedisServer } from './redis.ts'

export interface StreamEntry {
  /** Redis stream id. */
  streamId: string
  /** JSON text of one SiteEvent, unchecked. */
  event: string
}
/** Must be idempotent by event id: entries come again when it throws, or when the process dies before they are acknowledged. */
export type EventHandler = (site: string, entries: StreamEntry[]) => Promise<void>

export interface EventConsumer extends Service {
  watch(site: string): void
  unwatch(site: string): void
}

/** What manager and sites say to each other by Redis. Start it after the Redis server. */
export interface SiteBus extends Service {
  /** Puts the signed state in place, then nudges the site with its revision. */
  publishState(site: string, jws: string, revision: number): Promise<void>
  /** Appends a signed command; returns its stream id. Commands older than a week are trimmed. */
  sendCommand(site: string, jws: string): Promise<string>
  /** Consumer group `manager` on the event streams of all watched sites. Entries leave Redis once `handler` has resolved. */
  consumeEvents(handler: EventHandler): EventConsumer
  /** Undefined when the site is away (no sign for 35 s). */
  presence(site: string): Promise<Presence | undefined>
  /** Removes all keys of a deleted site. Its user goes by `RedisServer.deleteSiteUser`. */
  removeSite(site: string): Promise<void>
}

export declare function createSiteBus(deps: { redis: RedisServer; log: Log; clock: Clock; consumer?: string }): SiteBus
