import { steppedClock } from '@bridgehead/shared/clock.ts'
import { expect, test } from 'vitest'
import { createAttempts } from './attempts.ts'

test('ten wrong passwords are free, then an account rests for a minute; others do not', () => {
  const clock = steppedClock(0)
  const attempts = createAttempts({ clock })
  for (let number = 0; number < 10; number++) {
    expect(attempts.waitSeconds('ada')).toBe(0)
    attempts.failed('ada')
  }
  expect([attempts.waitSeconds('ada'), attempts.waitSeconds('bob')]).toEqual([60, 0])
  clock.advance(60_000)
  expect(attempts.waitSeconds('ada')).toBe(0)
})

test('a right password forgets the wrong ones', () => {
  const attempts = createAttempts({ clock: steppedClock(0) })
  for (let number = 0; number < 10; number++) attempts.failed('ada')
  attempts.succeeded('ada')
  expect(attempts.waitSeconds('ada')).toBe(0)
})
