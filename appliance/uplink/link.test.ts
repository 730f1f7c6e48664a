import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { signDocument } from '@bridgehead/shared/model/signed.ts'
import { afterEach, expect, test } from 'vitest'
import { createOutbox } from '../store/outbox.ts'
import { openStore } from '../store/store.ts'
import { createCommandTaker } from './command-taker.ts'
import { fakeRedis } from './fake-bus.ts'
import { createLink } from './link.ts'
import { commandOf, MANAGER, NOW, publicOf, SITE, stateOf } from './samples.ts'
import { createStateKeeper } from './state-keeper.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

let ids = 0
async function site() {
  const clock = steppedClock(NOW)
  const redis = fakeRedis(clock)
  const store = openStore(':memory:')
  const outbox = createOutbox(store.db, { clock, newId: () => `event-${ids++}` })
  const log = silentLog
  const states = createStateKeeper({ site: SITE, managerKeys: [publicOf(MANAGER)], applyInWrite: () => {}, store, outbox, log })
  const applied: number[] = []
  states.onState((state) => applied.push(state.revision))
  const done: string[] = []
  const commands = createCommandTaker({
    site: SITE,
    trusted: states.trusted,
    handle: ({ id }) => void done.push(id),
    store,
    outbox,
    clock,
    log,
  })
  const { connect } = redis
  let sessions = 0
  const link = createLink({
    connect: (signal) => {
      sessions++
      return connect(signal)
    },
    states,
    commands,
    store,
    outbox,
    clock,
    random: () => 0,
    log,
    version: '1',
    counters: () => ({ packets: 7 }),
    health: () => HEALTH,
  })
  await link.start()
  cleanups.push(() => link.stop())
  const add = (from: number, to: number) =>
    store.write(() => {
      for (let revision = from; revision < to; revision++) outbox.add('state.applied', { revision })
    })
  const received = () => redis.events().map((event) => (JSON.parse(event) as { data: { revision: number } }).data.revision)
  /** Lets time pass in small steps, as it does, so that what falls due is answered before the next does. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 250) {
      clock.advance(Math.min(250, left))
      await settle()
    }
  }
  return { redis, pass, link, outbox, applied, done, add, received, sessions: () => sessions }
}
const HEALTH = { ok: true, services: { dhcp: 'ok' }, uplink: 'ok' as const }
const signedState = (over: object) => signDocument('state', stateOf(over), MANAGER)

test('a nudge is answered at once; without one the state is read after 30 s', async () => {
  const { redis, pass, link, applied } = await site()
  await until(() => link.up)
  redis.setState(await signedState({ revision: 1 }))
  redis.nudge()
  await until(() => applied.length === 1)
  redis.setState(await signedState({ revision: 2 }))
  await settle()
  expect(applied).toEqual([1])
  await pass(30_000)
  await until(() => applied.length === 2)
})

test('presence is renewed every 10 s', async () => {
  const { redis, pass, link } = await site()
  await until(() => link.up && redis.presence() !== undefined)
  expect(JSON.parse(redis.presence() ?? '')).toEqual({
    at: NOW,
    version: '1',
    revision: 0,
    outbox: 0,
    counters: { packets: 7 },
    health: HEALTH,
  })
  await settle()
  await pass(10_000)
  await until(() => JSON.parse(redis.presence() ?? '').at === NOW + 10_000)
})

test('facts go up in order, as soon as they are there', async () => {
  const { add, received, outbox } = await site()
  await add(0, 500)
  await until(() => received().length === 500)
  await add(500, 501)
  await until(() => received().length === 501 && outbox.size() === 0)
  expect(received()).toEqual(Array.from({ length: 501 }, (_, n) => n))
})

test('a server that was killed gets the last facts again, one that lost its memory gets all that are kept', async () => {
  const { redis, pass, link, add, received } = await site()
  await add(0, 300)
  await until(() => received().length === 300)
  redis.kill()
  await until(() => !link.up)
  await pass(250)
  await until(() => received().length === 500)
  expect(new Set(received()).size).toBe(300)
  redis.kill({ empty: true })
  await until(() => !link.up)
  await pass(250)
  await until(() => received().length >= 300 && new Set(received()).size === 300)
})

test('an order that was read but not settled is carried out once', async () => {
  const { redis, done, link } = await site()
  await until(() => link.up)
  const jws = await signDocument('command', commandOf(), MANAGER)
  redis.addCommand(jws)
  redis.addCommand(jws)
  await until(() => redis.commandsLeft() === 0)
  expect(done).toEqual([commandOf().id])
})

test('a silent connection is thrown away, and facts go over the next one', async () => {
  const { redis, pass, link, add, received, sessions } = await site()
  await until(() => link.up && redis.presence() !== undefined)
  redis.freeze()
  await add(0, 3)
  await settle()
  expect(received()).toEqual([])
  await pass(15_000) // presence falls due after 10 s, and gets no answer for 5 s
  await until(() => sessions() === 2 && received().length === 3)
})

test('while nobody answers, tries are few and far between', async () => {
  const { redis, pass, link, sessions } = await site()
  await until(() => link.up)
  redis.away = true
  redis.kill()
  await until(() => !link.up)
  await pass(10_000)
  expect(sessions()).toBeLessThanOrEqual(15)
  redis.away = false
  await pass(60_000)
  await until(() => link.up)
})

test('stop ends it within the turn, also while it waits for a try', async () => {
  const { redis, link } = await site()
  await until(() => link.up)
  redis.away = true
  redis.kill()
  await until(() => !link.up)
  await link.stop()
  await link.stop()
})

/** Lets everything run that is not waiting for the clock. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) {
    if (condition()) return
    await settle()
  }
  throw new Error(`never came true: ${condition}`)
}
