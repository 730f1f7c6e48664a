import { steppedClock } from '@bridgehead/shared/clock.ts'
import { expect, test } from 'vitest'
import { keepPresent, whyUnserved } from './presence.ts'

/** Keys that expire, and no answer while it is away. */
function fakeRedis(clock: ReturnType<typeof steppedClock>) {
  const until = new Map<string, number>()
  const redis = {
    away: undefined as Promise<void> | undefined,
    asked: 0,
    async set(key: string, _value: string, _unit: string, ms: number) {
      redis.asked++
      await redis.away
      until.set(key, clock.now() + ms)
      return 'OK'
    },
    exists: async (key: string) => ((until.get(key) ?? 0) > clock.now() ? 1 : 0),
  }
  return redis
}
const failed = (error: unknown) => {
  throw error
}
const sentence = 'waits: no worker serves the queue "build"; start one with "bridgehead worker --queues build"'

test('a queue is served as long as somebody works on it, and a few seconds longer', async () => {
  const clock = steppedClock(1_000)
  const redis = fakeRedis(clock)
  expect(await whyUnserved(redis, 'build')).toBe(sentence)
  const present = keepPresent(redis, 'build', { clock, failed })
  await present.said
  for (let minute = 0; minute < 12; minute++) {
    expect(await whyUnserved(redis, 'build')).toBeUndefined()
    clock.advance(5_000)
    await Promise.resolve()
  }
  expect(await whyUnserved(redis, 'package'), 'another queue').toContain('"package"')
  present.end()
  clock.advance(14_000)
  expect(await whyUnserved(redis, 'build')).toBeUndefined()
  clock.advance(2_000)
  expect(await whyUnserved(redis, 'build')).toBe(sentence)
})

test('while Redis is away, one word waits for it, not one every five seconds', async () => {
  const clock = steppedClock(1_000)
  const redis = fakeRedis(clock)
  let back = () => {}
  redis.away = new Promise((resolve) => {
    back = resolve
  })
  const { said } = keepPresent(redis, 'build', { clock, failed })
  clock.advance(60_000)
  expect(redis.asked).toBe(1)
  back()
  await said
  await Promise.resolve()
  clock.advance(5_000)
  expect(redis.asked).toBe(2)
})

test("the manager's own queue needs no worker", async () => {
  const clock = steppedClock(1_000)
  expect(await whyUnserved(fakeRedis(clock), 'default')).toBeUndefined()
})
