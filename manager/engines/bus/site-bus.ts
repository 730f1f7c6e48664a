import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { type Presence, siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { createConsumer, type EventConsumer, type EventHandler } from './consumer.ts'
import type { RedisServer } from './redis.ts'

/** What manager and sites say to each other by Redis. Start it after the Redis server. */
export interface SiteBus extends Service {
  /** Puts the signed state in place, then nudges the site with its revision. */
  publishState(site: string, jws: string, revision: number): Promise<void>
  /** Appends a signed command; returns its stream id. Commands older than a week are trimmed. */
  sendCommand(site: string, jws: string): Promise<string>
  /** Consumer group `manager` on the event streams of all watched sites. Entries leave Redis once `handler` has resolved. */
  consumeEvents(handler: EventHandler): EventConsumer
  /** Undefined when the site is away (no sign for 35 s), or says something unreadable. */
  presence(site: string): Promise<Presence | undefined>
  /** The same of many, in one read; those that are away are left out. */
  presences(sites: readonly string[]): Promise<Map<string, Presence>>
  /** Removes all keys of a deleted site; unwatch it first. Its user goes by `RedisServer.deleteSiteUser`. */
  removeSite(site: string): Promise<void>
}

const COMMANDS_KEPT_MS = 7 * 86_400_000

const Health = z.object({
  ok: z.boolean(),
  services: z.record(z.string().max(64), z.string().max(500)),
  uplink: z.enum(['ok', 'down', 'none']),
})
const PresenceShape = z.object({
  at: z.number(),
  version: z.string().max(64),
  revision: z.number(),
  outbox: z.number(),
  counters: z.record(z.string(), z.number()).default({}),
  health: Health.optional().catch(undefined),
})

export function createSiteBus({
  redis,
  log,
  clock,
  consumer = 'manager',
}: {
  redis: RedisServer
  log: Log
  clock: Clock
  /** Name of this manager in the consumer group: the same after a restart, another in each replica. */
  consumer?: string
}): SiteBus {
  let open: Redis | undefined
  const connection = (): Redis => {
    if (!open) throw new Error('the site bus was used before it was started')
    return open
  }

  const read = (site: string, text: string): Presence | undefined => {
    try {
      return PresenceShape.parse(JSON.parse(text))
    } catch (error) {
      log.warn('presence.unreadable', { site, error })
      return undefined
    }
  }

  return {
    name: 'site-bus',
    async start() {
      open = redis.connect({ maxRetriesPerRequest: 5, connectionName: 'site-bus' })
    },
    async stop() {
      open?.disconnect()
      open = undefined
    },
    async publishState(site, jws, revision) {
      const keys = siteKeys(site)
      await connection().set(keys.state, jws)
      await connection().publish(keys.nudge, String(revision))
    },
    async sendCommand(site, jws) {
      const oldest = clock.now() - COMMANDS_KEPT_MS
      const id = await connection().xadd(siteKeys(site).commands, 'MINID', oldest, '*', 'jws', jws)
      if (id === null) throw new Error('Redis gave no id for the command')
      return id
    },
    consumeEvents: (handler) => createConsumer(handler, { redis, log, clock, consumer }),
    async presence(site) {
      const text = await connection().get(siteKeys(site).presence)
      return text === null ? undefined : read(site, text)
    },
    async presences(sites) {
      const texts = sites.length === 0 ? [] : await connection().mget(sites.map((site) => siteKeys(site).presence))
      return new Map(
        sites.flatMap((site, index) => {
          const text = texts[index]
          const presence = text == null ? undefined : read(site, text)
          return presence ? [[site, presence]] : []
        }),
      )
    },
    async removeSite(site) {
      const keys = siteKeys(site)
      await connection().unlink(keys.state, keys.commands, keys.events, keys.presence)
    },
  }
}
