import { expect, test } from 'vitest'
import { ago } from './ago.ts'

const NOW = 1_800_000_000_000

test.each([
  [NOW - 3_000, 'just now'],
  [NOW - 180_000, '3 minutes ago'],
  [NOW + 7_300_000, 'in 2 hours'],
  [NOW + 30_000, 'within a minute'],
])('%i is told as people say it', (at, words) => {
  expect(ago(at, NOW)).toBe(words)
})
