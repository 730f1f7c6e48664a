import { expect, test } from 'vitest'
import { decodeLine, encodeLine, lineIds } from './log-lines.ts'

test('ids grow within a millisecond, over milliseconds, and when the clock is set back', () => {
  let now = 1_795_000_000_000
  const next = lineIds(() => now)
  expect([next(), next()]).toEqual([1_795_000_000_000_000, 1_795_000_000_000_001])
  now -= 5_000
  expect(next()).toBe(1_795_000_000_000_002)
  now += 6_000
  expect(next()).toBe(1_795_000_001_000_000)
})

test.each([
  { what: 'a line', text: 'cc -c one.c' },
  { what: 'an empty line', text: '' },
  { what: 'one that begins with a number', text: '1795000000000000 x' },
  { what: 'two lines in one', text: 'a\nb' },
])('$what comes back as it was', ({ text }) => {
  const line = { id: 1_795_000_000_000_000, text }
  expect(decodeLine(encodeLine(line))).toEqual(line)
})

test('a line of an older version is older than all others', () => {
  expect(decodeLine('make: 3 files')).toEqual({ id: 0, text: 'make: 3 files' })
})
