import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EventConsumer, EventHandler } from '@bridgehead/manager/engines/bus/consumer.ts'
import { createRedis, type RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { createSiteBus, type SiteBus } from '@bridgehead/manager/engines/bus/site-bus.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { EVENT_GROUP, siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { freePort } from './free-port.ts'
import { killRedisNow } from './kill-redis.ts'

let directory: string
let redis: RedisServer
let bus: SiteBus
let site: Redis
const consumers: EventConsumer[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-bus-'))
  redis = createRedis({ directory, port: await freePort(), bind: ['127.0.0.1'], log: silentLog, clock: systemClock })
  await redis.start()
  bus = createSiteBus({ redis, log: silentLog, clock: systemClock })
  await bus.start()
  site = redis.connect()
})
beforeEach(() => site.flushall())
afterEach(async () => {
  for (const consumer of consumers.splice(0)) await consumer.stop()
})
afterAll(async () => {
  site.disconnect()
  await bus.stop()
  await redis.stop()
  await rm(directory, { recursive: true })
})

/** An idempotent ingest, as the manager's: each event counts once; `delivered` counts all deliveries. */
function ingest(before: (events: string[]) => void = () => {}) {
  const taken = new Set<string>()
  const seen = { delivered: 0 }
  const handler: EventHandler = async (id, entries) => {
    seen.delivered += entries.length
    before(entries.map((entry) => entry.event))
    for (const { event } of entries) taken.add(`${id}:${event}`)
  }
  return { taken, seen, handler }
}
async function consume(handler: EventHandler, sites: string[], from: SiteBus = bus): Promise<EventConsumer> {
  const consumer = from.consumeEvents(handler)
  consumers.push(consumer)
  for (const id of sites) consumer.watch(id)
  await consumer.start()
  return consumer
}
const emit = (id: string, event: string | number) => site.xadd(siteKeys(id).events, '*', 'event', event)
const soon = { timeout: 20_000, interval: 20 }

test('state is put, then the site is nudged with its revision', async () => {
  const listener = redis.connect()
  const nudges: [string, string | null][] = []
  listener.on('message', async (_channel, revision: string) => nudges.push([revision, await site.get(siteKeys('a').state)]))
  await listener.subscribe(siteKeys('a').nudge)
  await bus.publishState('a', 'signed 7', 7)
  await expect.poll(() => nudges).toEqual([['7', 'signed 7']])
  listener.disconnect()
})

test('commands are appended in order, and those of last week trimmed', async () => {
  const { commands } = siteKeys('a')
  await site.xadd(commands, '1000-0', 'jws', 'from 1970')
  await bus.sendCommand('a', 'first')
  await bus.sendCommand('a', 'second')
  expect((await site.xrange(commands, '-', '+')).map(([, fields]) => fields)).toEqual([
    ['jws', 'first'],
    ['jws', 'second'],
  ])
})

test('presence is read while it lasts, and nonsense is no presence', async () => {
  const presence = { at: 1, version: '0.1.0', revision: 3, outbox: 0, counters: { offers: 2 } }
  expect(await bus.presence('a')).toBeUndefined()
  await site.set(siteKeys('a').presence, JSON.stringify(presence), 'EX', 35)
  expect(await bus.presence('a')).toEqual(presence)
  for (const text of ['', '{', '[]', '{"at":"now"}']) {
    await site.set(siteKeys('a').presence, text)
    expect(await bus.presence('a'), text).toBeUndefined()
  }
})

test('presence of many is read at once, with self-tests where the box makes them; who is away or talks nonsense is left out', async () => {
  const presence = { at: 1, version: '0.1.0', revision: 3, outbox: 0, counters: {} }
  const health = { ok: false, services: { dhcp: 'ok', dns: 'is silent' }, uplink: 'ok' }
  await site.set(siteKeys('a').presence, JSON.stringify({ ...presence, health }), 'EX', 35)
  await site.set(siteKeys('b').presence, JSON.stringify({ ...presence, health: 'well' }), 'EX', 35) // of a box that is newer than we are
  await site.set(siteKeys('c').presence, '{')
  expect(await bus.presences(['a', 'b', 'c', 'away'])).toEqual(
    new Map([
      ['a', { ...presence, health }],
      ['b', { ...presence, health: undefined }],
    ]),
  )
  expect(await bus.presences([])).toEqual(new Map())
})

test('events of many sites arrive once each, the ones from before the start too, and Redis is empty after', async () => {
  const sites = Array.from({ length: 250 }, (_, n) => `s${n}`) // three connections
  for (const id of sites) await emit(id, 'before')
  const { taken, handler, seen } = ingest()
  await consume(handler, sites)
  for (const id of sites) await emit(id, 'after')
  await expect.poll(() => taken.size, soon).toBe(500)
  expect(seen.delivered).toBe(500)
  await expect
    .poll(async () => (await Promise.all(sites.map((id) => site.xlen(siteKeys(id).events)))).reduce((a, b) => a + b), soon)
    .toBe(0)
})

test('a site is heard at once when it is watched, and not after it was unwatched', async () => {
  const { taken, handler } = ingest()
  const consumer = await consume(handler, ['a'])
  await systemClock.sleep(200) // it waits for events now
  const since = performance.now()
  consumer.watch('b')
  await emit('b', 1)
  await expect.poll(() => taken.has('b:1'), soon).toBe(true)
  expect(performance.now() - since).toBeLessThan(3_500) // not at the end of the five seconds' wait
  consumer.unwatch('b')
  await bus.removeSite('b')
  await emit('a', 1)
  await expect.poll(() => taken.has('a:1'), soon).toBe(true)
  expect(await site.exists(siteKeys('b').events)).toBe(0)
})

test('a site that is watched just as the reading begins is heard at once, too', async () => {
  const { taken, handler } = ingest()
  const consumer = await consume(handler, ['a'])
  for (let round = 0; round < 100; round++) {
    await emit(`late${round}`, 1)
    await emit('a', round) // the reader turns to the next read
    await systemClock.sleep(round % 4)
    const since = performance.now()
    consumer.watch(`late${round}`)
    await expect.poll(() => taken.has(`late${round}:1`), { timeout: 10_000, interval: 1 }).toBe(true)
    expect(performance.now() - since, `round ${round}`).toBeLessThan(3_500)
  }
})

test('a handler that fails gets its entries again, while other sites go on', async () => {
  let failures = 0
  const { taken, handler } = ingest((events) => {
    if (events.includes('bad') && (failures++ < 3 || !taken.has('b:elsewhere'))) throw new Error('the database is locked')
  })
  await consume(handler, ['a', 'b'])
  await emit('a', 'bad')
  await emit('a', 'behind it')
  await emit('b', 'elsewhere')
  await expect.poll(() => [...taken], soon).toEqual(['b:elsewhere', 'a:bad', 'a:behind it'])
  await expect.poll(() => site.xlen(siteKeys('a').events), soon).toBe(0)
})

test('an entry without an event is dropped, and does not stop the others', async () => {
  const { taken, handler } = ingest()
  await consume(handler, ['a'])
  await site.xadd(siteKeys('a').events, '*', 'nonsense', '1')
  await emit('a', 'good')
  await expect.poll(() => taken.has('a:good'), soon).toBe(true)
  await expect.poll(() => site.xlen(siteKeys('a').events), soon).toBe(0)
})

test('what a manager took and did not acknowledge comes again after its restart', async () => {
  const { events } = siteKeys('a')
  await site.xgroup('CREATE', events, EVENT_GROUP, '0', 'MKSTREAM')
  for (let n = 0; n < 200; n++) await emit('a', n)
  await site.xreadgroup('GROUP', EVENT_GROUP, 'manager', 'COUNT', 150, 'STREAMS', events, '>') // then it was killed
  const { taken, handler } = ingest()
  await consume(handler, ['a'])
  await expect.poll(() => taken.size, soon).toBe(200)
})

test('a wiped Redis is a pipe again by itself', async () => {
  const { taken, handler } = ingest()
  await consume(handler, ['a', 'b'])
  await emit('a', 1)
  await expect.poll(() => taken.size, soon).toBe(1)
  await site.flushall()
  await emit('b', 2)
  await emit('a', 3)
  await expect.poll(() => [...taken].sort(), soon).toEqual(['a:1', 'a:3', 'b:2'])
})

test('five kills of Redis in the midst of a flow lose no event, when sites begin anew with the last that they sent', async () => {
  const { taken, handler, seen } = ingest()
  await consume(handler, ['a', 'b', 'c'])
  const send = (n: number) => emit('abc'.charAt(n % 3), n)
  let sent = 0
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 100; n++) await send(sent++)
    await killRedisNow(site)
    // While a slow disk syncs, Redis holds what it took in its memory for up to 2 s: a site's new session sends its last 200 again.
    for (let n = Math.max(0, sent - 200); n < sent; n++) await send(n)
  }
  await expect.poll(() => taken.size, { timeout: 60_000, interval: 50 }).toBe(sent)
  await expect
    .poll(async () => (await Promise.all(['a', 'b', 'c'].map((id) => site.xlen(siteKeys(id).events)))).reduce((x, y) => x + y), soon)
    .toBe(0)
  process.stdout.write(`site-bus: ${sent} events over 5 kills, ${seen.delivered} deliveries, ${taken.size} taken\n`)
})
