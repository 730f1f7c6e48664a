import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { EVENT_GROUP, siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { backoffMs } from '@bridgehead/shared/supervise.ts'
import type { Redis } from 'ioredis'
import { BLOCK_MS, planReads, type StreamProgress } from './plan-reads.ts'
import type { RedisServer } from './redis.ts'
import { type DeliveredEntry, parseStreams } from './stream-reply.ts'

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

interface Deps {
  redis: RedisServer
  log: Log
  clock: Clock
  /** Name of this manager in the group. */
  consumer: string
  random?: () => number
}

/** Entries of one stream in one read. */
const COUNT = 64
/** Streams that one connection waits for. */
const LANE_STREAMS = 100
const CLAIM_EVERY_MS = 60_000
/** An entry that another consumer has held for this long is taken over. */
const CLAIM_IDLE_MS = 120_000

/** Reads the event streams of all watched sites, a hundred to a connection. */
export function createConsumer(handler: EventHandler, deps: Deps): EventConsumer {
  const lanes: Lane[] = []
  const laneOf = new Map<string, Lane>()
  let running = false
  return {
    name: 'events',
    async start() {
      running = true
      for (const lane of lanes) lane.start()
    },
    async stop() {
      running = false
      await Promise.all(lanes.map((lane) => lane.stop()))
    },
    watch(site) {
      if (laneOf.has(site)) return
      let lane = lanes.find((one) => one.size() < LANE_STREAMS)
      if (!lane) {
        lane = createLane(handler, deps)
        lanes.push(lane)
        if (running) lane.start()
      }
      laneOf.set(site, lane)
      lane.add(site)
    },
    unwatch(site) {
      laneOf.get(site)?.remove(site)
      laneOf.delete(site)
    },
  }
}

interface Lane {
  size(): number
  add(site: string): void
  remove(site: string): void
  start(): void
  stop(): Promise<void>
}

function createLane(handler: EventHandler, { redis, log, clock, consumer, random = Math.random }: Deps): Lane {
  const streams = new Map<string, StreamProgress>()
  const siteOf = new Map<string, string>()
  let reader: Redis | undefined
  let writer: Redis | undefined
  let stopping: AbortController | undefined
  let loop: Promise<void> = Promise.resolve()
  /** Aborted by whatever changes what is to be read: nothing may wait any more on what was planned before. */
  let nap = new AbortController()
  /** Id of the reader's connection while it blocks. */
  let blocked: number | undefined

  const wake = () => {
    nap.abort()
    endRead().catch((error) => log.debug('events.wake_failed', { error }))
  }

  /** Redis answers 0 when the read is still on its way to it, by the other connection. */
  async function endRead(): Promise<void> {
    const id = blocked
    while (writer && id !== undefined && id === blocked && (await writer.client('UNBLOCK', id)) === 0) await clock.sleep(20)
  }

  /** What was delivered on a lost connection is pending, and group or stream may be gone: begin anew. */
  const doubtAll = () => {
    for (const stream of streams.values()) stream.phase = 'new'
  }

  async function createGroups(sites: string[], connection: Redis): Promise<void> {
    const pipeline = connection.pipeline()
    for (const site of sites) pipeline.xgroup('CREATE', siteKeys(site).events, EVENT_GROUP, '0', 'MKSTREAM')
    for (const [error] of (await pipeline.exec()) ?? []) if (error && !error.message.startsWith('BUSYGROUP')) throw error
    for (const site of sites) setPhase(site, 'pending')
  }

  function setPhase(site: string, phase: StreamProgress['phase']): void {
    const stream = streams.get(site)
    if (stream) stream.phase = phase
  }

  async function deliver(site: string, entries: DeliveredEntry[], connection: Redis): Promise<void> {
    const good = entries.filter((entry): entry is StreamEntry => entry.event !== undefined)
    if (good.length < entries.length) log.warn('events.dropped', { site, count: entries.length - good.length })
    const stream = streams.get(site)
    try {
      if (good.length > 0) await handler(site, good)
      const ids = entries.map((entry) => entry.streamId)
      const key = siteKeys(site).events
      await connection
        .multi()
        .xack(key, EVENT_GROUP, ...ids)
        .xdel(key, ...ids)
        .exec()
      if (stream) stream.failures = 0
    } catch (error) {
      if (!stream) return
      stream.failures++
      stream.phase = 'pending'
      stream.notBefore = clock.now() + backoffMs(stream.failures, { floorMs: 200, capMs: 60_000, random })
      log.error('events.handler_failed', { site, failures: stream.failures, retryInMs: stream.notBefore - clock.now(), error })
    }
  }

  async function readPending(site: string, connection: Redis): Promise<void> {
    const key = siteKeys(site).events
    const reply = await connection.xreadgroup('GROUP', EVENT_GROUP, consumer, 'COUNT', COUNT, 'STREAMS', key, '0')
    const entries = parseStreams(reply)[0]?.entries ?? []
    if (entries.length === 0) setPhase(site, 'live')
    else await deliver(site, entries, connection)
  }

  async function readLive(sites: string[], blockMs: number, from: Redis, connection: Redis): Promise<void> {
    const keys = sites.map((site) => siteKeys(site).events)
    const since = clock.now()
    const id = await from.client('ID')
    if (nap.signal.aborted) return
    blocked = id
    const reply = await from.xreadgroup(
      ...(['GROUP', EVENT_GROUP, consumer, 'COUNT', COUNT, 'BLOCK', blockMs, 'STREAMS'] as const),
      ...keys,
      ...keys.map(() => '>'),
    )
    blocked = undefined
    if (reply === null && clock.now() - since > blockMs + 1_500) throw new Error('a blocking read did not return in time')
    const delivered = parseStreams(reply)
    await Promise.all(delivered.map(({ key, entries }) => deliver(siteOf.get(key) ?? key, entries, connection)))
  }

  /** Takes over what a consumer that is gone has left unacknowledged. */
  async function claim(connection: Redis): Promise<void> {
    const sites = [...streams.values()].filter((stream) => stream.phase === 'live').map((stream) => stream.site)
    const pipeline = connection.pipeline()
    for (const site of sites)
      pipeline.xautoclaim(siteKeys(site).events, EVENT_GROUP, consumer, CLAIM_IDLE_MS, '0', 'COUNT', COUNT, 'JUSTID')
    const replies = (await pipeline.exec()) ?? []
    replies.forEach(([, reply], index) => {
      const claimed = Array.isArray(reply) && Array.isArray(reply[1]) ? reply[1].length : 0
      if (claimed > 0) setPhase(sites[index] ?? '', 'pending')
    })
  }

  async function turn(from: Redis, connection: Redis, signal: AbortSignal): Promise<void> {
    nap = new AbortController()
    const plan = planReads(streams.values(), clock.now())
    if (plan.create.length > 0) await createGroups(plan.create, connection)
    for (const site of plan.pending) await readPending(site, connection)
    if (signal.aborted || plan.pending.length > 0) return
    if (plan.live.length > 0) await readLive(plan.live, plan.blockMs, from, connection)
    else await clock.sleep(plan.blockMs, AbortSignal.any([signal, nap.signal]))
  }

  async function run(from: Redis, connection: Redis, signal: AbortSignal): Promise<void> {
    let failures = 0
    let claimAt = clock.now()
    while (!signal.aborted) {
      try {
        await turn(from, connection, signal)
        if (clock.now() >= claimAt) {
          claimAt = clock.now() + CLAIM_EVERY_MS
          await claim(connection)
        }
        failures = 0
      } catch (error) {
        blocked = undefined
        if (signal.aborted) return
        doubtAll()
        failures++
        log.warn('events.read_failed', { failures, error })
        if (failures > 1) from.disconnect(true)
        await clock.sleep(backoffMs(failures, { floorMs: 50, capMs: 5_000, random }), signal)
      }
    }
  }

  return {
    size: () => streams.size,
    add(site) {
      siteOf.set(siteKeys(site).events, site)
      streams.set(site, { site, phase: 'new', failures: 0, notBefore: 0 })
      wake()
    },
    remove(site) {
      siteOf.delete(siteKeys(site).events)
      streams.delete(site)
    },
    start() {
      // A lost connection fails its read at once (no silent re-sending), so that what it had been given is read as pending.
      const guarded = {
        maxRetriesPerRequest: 0,
        blockingTimeout: BLOCK_MS + 3_000,
        blockingTimeoutGrace: 2_000,
        socketTimeout: BLOCK_MS + 4_000,
      }
      stopping = new AbortController()
      reader = redis.connect({ ...guarded, connectionName: 'events-reader' })
      writer = redis.connect({ maxRetriesPerRequest: 1, socketTimeout: 10_000, connectionName: 'events-writer' })
      loop = run(reader, writer, stopping.signal)
    },
    async stop() {
      stopping?.abort()
      wake()
      await loop
      reader?.disconnect()
      writer?.disconnect()
    },
  }
}
