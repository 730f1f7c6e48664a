import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOutbox } from '@bridgehead/appliance/store/outbox.ts'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { busContract } from '@bridgehead/appliance/uplink/bus-contract.ts'
import { createCommandTaker } from '@bridgehead/appliance/uplink/command-taker.ts'
import { createSigningKey } from '@bridgehead/appliance/uplink/identity.ts'
import { createLink } from '@bridgehead/appliance/uplink/link.ts'
import { redisBus } from '@bridgehead/appliance/uplink/redis-bus.ts'
import { createStateKeeper } from '@bridgehead/appliance/uplink/state-keeper.ts'
import { createRedis, type RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { createSiteBus, type SiteBus } from '@bridgehead/manager/engines/bus/site-bus.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Command } from '@bridgehead/shared/model/command.ts'
import { siteKeys } from '@bridgehead/shared/model/redis-keys.ts'
import { signDocument } from '@bridgehead/shared/model/signed.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../lab/wait.ts'
import { freePort } from './free-port.ts'
import { silentLine } from './silent-line.ts'

const log = silentLog
const clock = systemClock
const directory = mkdtempSync(join(tmpdir(), 'bh-uplink-'))
const managerKey = createSigningKey()
const SECRET = 'secret-of-this-site'
const { d: _, ...managerPublic } = managerKey

let port: number
let redis: RedisServer
let bus: SiteBus

beforeAll(async () => {
  port = await freePort()
  redis = createRedis({ directory, port, bind: ['127.0.0.1'], log, clock })
  await redis.start()
  bus = createSiteBus({ redis, log, clock })
  await bus.start()
})
afterAll(async () => {
  await bus.stop()
  await redis.stop()
  rmSync(directory, { recursive: true })
})

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A site with a user of its own, and the uplink of an appliance that is a member of it. */
async function makeSite({ through = port } = {}) {
  const site = newId()
  const allow = () => redis.setSiteUser(site, createHash('sha256').update(SECRET).digest('hex'))
  await allow()
  cleanups.push(redis.onRestart(allow))
  const store = openStore(':memory:')
  const outbox = createOutbox(store.db, { clock, newId })
  const applied: number[] = []
  const carriedOut: Command[] = []
  const states = createStateKeeper({ site, managerKeys: [managerPublic], applyInWrite: () => {}, store, outbox, log })
  states.onState((state) => applied.push(state.revision))
  const commands = createCommandTaker({
    site,
    trusted: states.trusted,
    handle: (command) => carriedOut.push(command),
    store,
    outbox,
    clock,
    log,
  })
  const link = createLink({
    connect: redisBus({ site, host: '127.0.0.1', port: through, username: `site-${site}`, password: SECRET }),
    states,
    commands,
    store,
    outbox,
    clock,
    random: () => 0,
    log,
    version: '0.0.0-test',
    counters: () => ({ tests: 1 }),
  })
  await link.start()
  const received = new Map<string, { kind: string; data: unknown }>()
  let copies = 0
  const consumer = bus.consumeEvents(async (_site, entries) => {
    for (const { event } of entries) {
      const parsed = JSON.parse(event) as { id: string; kind: string; data: unknown }
      copies++
      received.set(parsed.id, parsed)
    }
  })
  consumer.watch(site)
  await consumer.start()
  cleanups.push(async () => {
    await link.stop()
    await consumer.stop()
    store.close()
  })
  return {
    site,
    store,
    outbox,
    link,
    states,
    applied,
    carriedOut,
    received,
    copies: () => copies,
    events: (kind: string) => [...received.values()].filter((event) => event.kind === kind).map((event) => event.data),
    publish: async (over: object, key = managerKey) => {
      const document = stateOf(site, over)
      await bus.publishState(site, await signDocument('state', document, key), document.revision)
    },
    order: async (over: object = {}, key = managerKey) => {
      const command = {
        protocol: PROTOCOL,
        id: newId(),
        site,
        at: clock.now(),
        deadline: clock.now() + 60_000,
        order: { kind: 'ping' },
        ...over,
      }
      const jws = await signDocument('command', command, key)
      await bus.sendCommand(site, jws)
      return { jws, id: command.id }
    },
  }
}

const stateOf = (site: string, over: object) => ({
  protocol: PROTOCOL,
  site,
  name: 'test',
  revision: 1,
  at: clock.now(),
  tags: {},
  lans: [],
  hosts: [],
  rules: [],
  profiles: [],
  scripts: [],
  keys: [],
  dns: {},
  ...over,
})

describe('the bus on Redis', () =>
  busContract(async () => {
    const site = newId()
    await redis.setSiteUser(site, createHash('sha256').update(SECRET).digest('hex'))
    const keys = siteKeys(site)
    const admin = redis.connect()
    cleanups.push(() => admin.disconnect())
    const connect = redisBus({ site, host: '127.0.0.1', port, username: `site-${site}`, password: SECRET })
    return {
      open: () => connect(new AbortController().signal),
      setState: async (jws) => void (await admin.set(keys.state, jws)),
      nudge: async () => void (await admin.publish(keys.nudge, '1')),
      addCommand: async (jws) => void (await bus.sendCommand(site, jws)),
      commandsLeft: () => admin.xlen(keys.commands),
      events: async () => (await admin.xrange(keys.events, '-', '+')).map(([, fields]) => fields[1] ?? ''),
      presence: async () => (await admin.get(keys.presence)) ?? undefined,
    }
  }))

test('a wrong secret is refused with the reason', async () => {
  const connect = redisBus({ site: newId(), host: '127.0.0.1', port, username: 'site-x', password: 'no' })
  await expect(connect(new AbortController().signal)).rejects.toThrow(/WRONGPASS/)
})

describe('state', () => {
  test('is applied, and the manager is told', async () => {
    const one = await makeSite()
    await one.publish({ revision: 3 })
    await until(() => one.applied.length > 0)
    expect(one.applied).toEqual([3])
    await until(() => one.events('state.applied').length > 0)
    expect(one.events('state.applied')).toEqual([{ revision: 3 }])
    await one.publish({ revision: 4 })
    await until(() => one.applied.length > 1)
    await until(async () => (await bus.presence(one.site)) !== undefined)
    expect(await bus.presence(one.site)).toMatchObject({ version: '0.0.0-test', counters: { tests: 1 } })
  })

  test('that must not be applied is refused, and the last good one stays', async () => {
    const one = await makeSite()
    await one.publish({ revision: 5 })
    await until(() => one.applied.length > 0)
    for (const { over, key, why } of [
      { over: { revision: 6 }, key: { ...createSigningKey(), kid: managerKey.kid }, why: /signature does not verify/ },
      { over: { revision: 6 }, key: createSigningKey(), why: /does not trust/ },
      { over: { revision: 7, site: newId() }, key: managerKey, why: /meant for site/ },
      { over: { revision: 4 }, key: managerKey, why: /older than 5/ },
      { over: { revision: 5, name: 'other' }, key: managerKey, why: /other content/ },
      { over: { revision: 8, hosts: [{ id: 'x' }] }, key: managerKey, why: /hosts/ },
      { over: { revision: 8, protocol: 99 }, key: managerKey, why: /protocol 99/ },
    ]) {
      const before = one.events('state.refused').length
      await one.publish(over, key)
      await until(() => one.events('state.refused').length > before)
      expect(one.events('state.refused').at(-1)).toMatchObject({ why: expect.stringMatching(why) })
    }
    expect(one.applied).toEqual([5])
    expect(one.states.revision()).toBe(5)
  })
})

describe('orders', () => {
  test('sent twice are carried out once, and leave the stream', async () => {
    const one = await makeSite()
    const { jws, id } = await one.order()
    await bus.sendCommand(one.site, jws)
    await one.order({ id })
    await until(() => one.carriedOut.length > 0)
    const last = await one.order()
    await until(() => one.carriedOut.some((command) => command.id === last.id))
    expect(one.carriedOut.map((command) => command.id)).toEqual([id, last.id])
    const admin = redis.connect()
    await until(async () => (await admin.xlen(siteKeys(one.site).commands)) === 0)
    admin.disconnect()
  })

  test('that are late, foreign, or signed by a stranger are refused', async () => {
    const one = await makeSite()
    for (const { over, key, why } of [
      { over: { deadline: clock.now() - 5_000 }, key: managerKey, why: /after its deadline/ },
      { over: { site: newId() }, key: managerKey, why: /meant for site/ },
      { over: {}, key: createSigningKey(), why: /does not trust/ },
      { over: { order: { kind: 'explode' } }, key: managerKey, why: /order/ },
    ]) {
      const before = one.events('command.refused').length
      await one.order(over, key)
      await until(() => one.events('command.refused').length > before)
      expect(one.events('command.refused').at(-1)).toMatchObject({ why: expect.stringMatching(why) })
    }
    expect(one.carriedOut).toEqual([])
  })
})

describe('a Redis that dies', () => {
  test('by kill -9 and comes back empty loses no fact, no state and no order that follows', async () => {
    const one = await makeSite()
    await one.publish({ revision: 1 })
    await until(() => one.applied.length > 0)
    for (let batch = 0; batch < 10; batch++) {
      await one.store.write(() => {
        for (let n = 0; n < 100; n++) one.outbox.add('run.output', { run: newId(), seq: batch * 100 + n, stream: 'stdout', text: 'x' })
      })
      if (batch === 4) await killFromOutside({ empty: true })
      else await clock.sleep(20)
    }
    await until(() => one.events('run.output').length === 1000 && one.outbox.size() === 0, 60_000)
    expect(new Set(one.events('run.output').map((data) => (data as { seq: number }).seq)).size).toBe(1000)
    await one.publish({ revision: 2 })
    await until(() => one.applied.includes(2), 60_000)
    await one.order()
    await until(() => one.carriedOut.length === 1)
  })

  test('is left alone no longer than the back-off says', async () => {
    const one = await makeSite()
    await until(() => one.link.up)
    const began = clock.now()
    await killFromOutside({ empty: false })
    await until(() => !one.link.up)
    await until(() => one.link.up)
    expect(clock.now() - began).toBeLessThan(10_000)
  })
})

test('a connection that went silent is thrown away and opened anew', async () => {
  const line = await silentLine(port)
  cleanups.push(line.close)
  const one = await makeSite({ through: line.port })
  await until(() => one.link.up)
  await one.publish({ revision: 1 })
  await until(() => one.applied.length === 1)
  line.freeze() // both ends believe that the connection stands; nothing comes through
  await one.publish({ revision: 2 })
  await until(() => one.applied.includes(2), 40_000)
  expect(line.accepted()).toBeGreaterThanOrEqual(4)
})

/** `empty`: and what it had written is gone, as from another disk. */
async function killFromOutside({ empty }: { empty: boolean }): Promise<void> {
  const pid = Number(readFileSync(join(directory, 'redis.pid'), 'utf8'))
  if (empty) rmSync(join(directory, 'appendonlydir'), { recursive: true })
  process.kill(pid, 'SIGKILL')
}

const until = (condition: () => boolean | Promise<boolean>, ms = 20_000) =>
  waitFor(`${condition}`, async () => (await condition()) || undefined, { ms, everyMs: 20 })
