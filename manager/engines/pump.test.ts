import { expect, test } from 'vitest'
import { createPump } from './pump.ts'

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
