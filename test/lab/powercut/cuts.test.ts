import { expect, test } from 'vitest'
import { type Cut, evenly, planCuts, seeded } from './cuts.ts'
import { encodeLog, indexLog } from './write-log.ts'

const sectors = (count: number) => new Uint8Array(512 * count).fill(7)
const write = (sector: number, count = 1) => ({ offset: sector * 512, bytes: sectors(count) })
function entriesOf(orders: Parameters<typeof encodeLog>[0]) {
  const log = encodeLog(orders)
  return indexLog((into, at) => log.copy(into, 0, at), log.length).entries
}
const stateOf = ({ durable, kept, tornBytes }: Cut) => JSON.stringify([durable, kept, tornBytes])

test('every flush boundary is cut, also where the plan asks for fewer', () => {
  const entries = entriesOf([write(0), 'flush', write(1), write(2), 'flush', 'flush', write(3), 'flush'])
  const cuts = planCuts(entries, { count: 0, random: seeded(1) })
  expect(cuts.map(({ kind, at, kept }) => `${kind} ${at} ${kept.length}`)).toEqual(['flush 0 0', 'flush 2 0', 'flush 6 0', 'flush 8 0'])
})

test('what lies behind the last flush is durable, and what follows it may be there or not', () => {
  const entries = entriesOf(Array.from({ length: 200 }, (_, index) => (index % 5 === 4 ? 'flush' : write(index, 3))))
  const cuts = planCuts(entries, { count: 500, random: seeded(2) })
  expect(cuts.length).toBeGreaterThanOrEqual(500)
  expect(new Set(cuts.map(stateOf)).size).toBe(cuts.length)
  for (const { durable, at, kept, tornBytes } of cuts) {
    expect(durable === 0 || entries[durable - 1]?.kind === 'flush').toBe(true)
    for (const index of kept) {
      expect(index).toBeGreaterThanOrEqual(durable)
      expect(index).toBeLessThan(at)
      expect(entries[index]?.kind).toBe('write')
    }
    if (tornBytes !== undefined) expect([512, 1024]).toContain(tornBytes)
  }
  expect(new Set(cuts.map(({ kind }) => kind))).toEqual(new Set(['flush', 'prefix', 'torn', 'reordered']))
})

test('a precious window is cut at each write and torn at each sector', () => {
  const entries = entriesOf([write(0), 'flush', write(8, 3), write(20), 'flush', write(1), 'flush'])
  const cuts = planCuts(entries, { count: 0, random: seeded(3), precious: ({ offset }) => offset === 8 * 512 })
  expect(cuts.filter(({ durable }) => durable === 2).map(({ kind, kept, tornBytes }) => [kind, kept, tornBytes])).toEqual([
    ['flush', [], undefined],
    ['torn', [2], 512],
    ['torn', [2], 1024],
    ['prefix', [2], undefined],
  ])
})

test('the same seed plans the same cuts', () => {
  const entries = entriesOf(Array.from({ length: 60 }, (_, index) => (index % 6 === 5 ? 'flush' : write(index, 2))))
  const plan = (seed: number) => planCuts(entries, { count: 90, random: seeded(seed) })
  expect(plan(4)).toEqual(plan(4))
  expect(plan(4)).not.toEqual(plan(5))
})

test('evenly takes the first, the last, and what lies evenly between', () => {
  expect(evenly([0, 1, 2, 3, 4, 5, 6, 7, 8], 3)).toEqual([0, 4, 8])
  expect(evenly([0, 1], 5)).toEqual([0, 1])
  expect(evenly([0, 1, 2], 0)).toEqual([])
})
