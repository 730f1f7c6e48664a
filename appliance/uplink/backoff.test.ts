import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

for (const { when, attempt, low, high } of [
  { when: 'the first repeat is fast', attempt: 0, low: 250, high: 2_000 },
  { when: 'the third repeat is fast', attempt: 2, low: 250, high: 2_000 },
  { when: 'the fourth spreads out', attempt: 3, low: 1_000, high: 4_000 },
  { when: 'the sixth spreads further', attempt: 5, low: 1_000, high: 16_000 },
  { when: 'later ones stay under a minute', attempt: 30, low: 1_000, high: 60_000 },
  { when: 'after very long, under five minutes', attempt: 1_000_000, low: 1_000, high: 300_000 },
])
  test(when, () => {
    expect(backoffMs(attempt, () => 0)).toBe(low)
    expect(backoffMs(attempt, () => 1)).toBe(high)
  })
