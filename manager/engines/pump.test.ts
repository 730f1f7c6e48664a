import { steppedClock } from '@bridgehead/shared/clock.ts'
import { expect, test } from 'vitest'
import { createPump, createSweeper } from './pump.ts'

test('passes never overlap, and calls during one share the next', async () => {
  let inside = 0
  let passes = 0
  const pump = createPump(
    async () => {
      inside++
      expect(inside).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      passes++
      inside--
    },
    () => {},
  )
  const first = pump()
  await Promise.resolve()
  await Promise.resolve() // the first pass runs now
  await Promise.all([first, pump(), pump(), pump()])
  expect(passes).toBe(2)
})

test('a failed pass is told of and does not stop the next', async () => {
  const errors: unknown[] = []
  let fail = true
  const pump = createPump(
    async () => {
      if (fail) throw new Error('no')
    },
    (error) => errors.push(error),
  )
  await pump()
  fail = false
  await pump()
  expect(errors).toHaveLength(1)
})

test('a sweeper passes at its start, once for changes that come together, at each tick, and never after its stop', async () => {
  const clock = steppedClock()
  let passes = 0
  const sweeper = createSweeper({
    pass: async () => {
      passes++
    },
    clock,
    debounceMs: 30,
    everyMs: 5_000,
    onError: (error) => {
      throw error
    },
  })
  const passesAfter = async (ms: number) => {
    clock.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
    return passes
  }
  await sweeper.start()
  expect(passes).toBe(1)
  sweeper.kick()
  sweeper.kick()
  expect(await passesAfter(29)).toBe(1)
  expect(await passesAfter(1)).toBe(2)
  expect(await passesAfter(1_000)).toBe(2)
  expect(await passesAfter(3_970)).toBe(3)
  sweeper.kick()
  await sweeper.stop()
  sweeper.kick()
  expect(await passesAfter(60_000)).toBe(3)
})
