import { expect, test } from 'vitest'
import { formatBytes, formatMs, formatProgress } from './format.ts'
import { bootRows, drawBoot } from './timeline.ts'

const events = [
  { at: 10_000, stage: 'discover' },
  { at: 10_100, stage: 'ack' },
  { at: 12_000, stage: 'kernel', bytes: 14 * 2 ** 20, ms: 1000 },
  { at: 14_000, stage: 'image', bytes: 0, total: 100 * 2 ** 20 },
  { at: 20_000, stage: 'image', bytes: 60 * 2 ** 20, total: 100 * 2 ** 20 },
]

test('a stage lasts from its first event to the next stage; repeats are one row', () => {
  expect(bootRows(events, { now: 21_000, live: true })).toMatchObject([
    { stage: 'discover', from: 10_000, to: 10_000, until: 10_100 },
    { stage: 'ack', from: 10_100, until: 11_000 },
    { stage: 'kernel', from: 11_000, to: 12_000, until: 14_000 },
    { stage: 'image', from: 14_000, to: 20_000, until: 21_000, bytes: 60 * 2 ** 20, repeats: 1 },
  ])
})

test('a boot that is over does not grow', () => {
  expect(bootRows(events, { now: 99_000, live: false }).at(-1)?.until).toBe(20_000)
})

test('bars start where their stage starts, and say time, bytes and rate', () => {
  const lines = drawBoot(bootRows(events, { now: 21_000, live: true }), { width: 80 })
  expect(lines).toEqual([
    '  discover          0.0 s █                                0.1 s',
    '  ack               0.1 s █···                             0.9 s',
    '  kernel            1.0 s    ████·····                     3.0 s  14.0 MiB  14.0 MiB/s',
    '  image             4.0 s            ██████████████████··· 7.0 s  60.0 MiB of 100 MiB  10.0 MiB/s',
  ])
})

test('nothing seen draws nothing', () => expect(drawBoot([], { width: 80 })).toEqual([]))

for (const [text, value] of [
  [formatMs(0), '0.0 s'],
  [formatMs(125_400), '2 min 05 s'],
  [formatMs(119_700), '2 min 00 s'],
  [formatBytes(512), '512 B'],
  [formatBytes(1.5 * 2 ** 20), '1.5 MiB'],
  [formatProgress(0.5, 4), '▓▓░░'],
  [formatProgress(7, 4), '▓▓▓▓'],
] as const)
  test(`"${value}" is written so`, () => expect(text).toBe(value))
