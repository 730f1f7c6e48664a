import { expect, test } from 'vitest'
import { longestGap } from './probe.ts'

for (const row of [
  { what: 'steady answers', answers: [0, 100, 200, 300], from: 100, now: 350, gap: 100 },
  { what: 'a silence that began before', answers: [0, 100, 900, 1000], from: 500, now: 1000, gap: 800 },
  { what: 'a silence that lasts', answers: [0, 100], from: 50, now: 5000, gap: 4900 },
  { what: 'no answer at all', answers: [], from: 50, now: 550, gap: 500 },
  { what: 'a silence before what is asked for', answers: [0, 5000, 5100], from: 5000, now: 5100, gap: 100 },
])
  test(`${row.what}: the longest silence is ${row.gap} ms`, () => {
    expect(longestGap(row.answers, row.from, row.now)).toBe(row.gap)
  })
