import { expect, test } from 'vitest'
import { nextDownload, planEviction } from './plan.ts'

const held = [
  { sha256: 'old', bytes: 100, lastUsed: 1, wanted: false },
  { sha256: 'older but wanted', bytes: 1000, lastUsed: 0, wanted: true },
  { sha256: 'new', bytes: 50, lastUsed: 2, wanted: false },
]
for (const { when, needed, free, remove, missing } of [
  { when: 'there is room', needed: 10, free: 30, remove: [], missing: 0 },
  { when: 'a little is missing', needed: 10, free: 10, remove: ['old'], missing: 0 },
  { when: 'much is missing', needed: 140, free: 10, remove: ['old', 'new'], missing: 0 },
  { when: 'nothing would help', needed: 500, free: 10, remove: [], missing: 350 },
])
  test(`when ${when}, ${remove.length} go`, () => {
    expect(planEviction({ needed, free, reserve: 10 }, held)).toEqual({ remove, missing })
  })

test('urgent ones first, then small ones, none before its time', () => {
  const [small, big, urgent, early] = [
    { bytes: 1, notBefore: 0, urgent: false },
    { bytes: 9, notBefore: 0, urgent: false },
    { bytes: 5, notBefore: 0, urgent: true },
    { bytes: 0, notBefore: 50, urgent: true },
  ]
  const order = []
  const waiting = new Set([big, small, early, urgent])
  for (let next = nextDownload(waiting, 10); next; next = nextDownload(waiting, 10)) {
    order.push(next)
    waiting.delete(next)
  }
  expect(order).toEqual([urgent, small, big])
})
