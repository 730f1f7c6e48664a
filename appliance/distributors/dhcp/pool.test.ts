import { describe, expect, test } from 'vitest'
import { createPool } from './pool.ts'

const NOBODY = () => false
const takeAll = (pool: ReturnType<typeof createPool>, avoid: (ip: number) => boolean = NOBODY) => {
  const taken: number[] = []
  for (let ip = pool.next(avoid); ip !== undefined; ip = pool.next(avoid)) {
    taken.push(ip)
    pool.take(ip)
  }
  return taken
}

test('gives each address of all ranges once, in order, without the excluded', () => {
  const pool = createPool(
    [
      { from: 100, to: 103 },
      { from: 10, to: 12 },
    ],
    [11, 102, 7],
  )
  expect(pool.size).toBe(5)
  expect(takeAll(pool)).toEqual([10, 12, 100, 101, 103])
  expect(pool.free).toBe(0)
})

test('overlapping and touching ranges count once', () => {
  const pool = createPool([
    { from: 1, to: 5 },
    { from: 3, to: 6 },
    { from: 7, to: 8 },
  ])
  expect(takeAll(pool)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

test('an address given back rests until the others have had their turn', () => {
  const pool = createPool([{ from: 1, to: 3 }])
  pool.take(1)
  pool.give(1)
  expect(takeAll(pool)).toEqual([2, 3, 1])
})

test('taking and giving twice, or outside, changes nothing', () => {
  const pool = createPool([{ from: 1, to: 3 }])
  pool.take(2)
  pool.take(2)
  pool.take(9)
  pool.give(9)
  expect(pool.free).toBe(2)
  pool.give(2)
  pool.give(2)
  expect(pool.free).toBe(3)
  expect(pool.isFree(9)).toBe(false)
})

test('an avoided address is set aside, still free for whom it is meant, and back after a review', () => {
  const pool = createPool([{ from: 1, to: 3 }])
  expect(takeAll(pool, (ip) => ip === 2)).toEqual([1, 3])
  expect(pool.isFree(2)).toBe(true)
  expect(pool.free).toBe(1)
  expect(pool.next(NOBODY)).toBeUndefined()
  pool.review()
  expect(pool.next(NOBODY)).toBe(2)
})

describe('edges of words and levels', () => {
  for (const size of [0, 1, 31, 32, 33, 1023, 1024, 1025, 32_769])
    test(`a pool of ${size} gives ${size} addresses`, () => {
      const pool = createPool(size === 0 ? [] : [{ from: 5, to: 4 + size }])
      expect(takeAll(pool)).toHaveLength(size)
      pool.give(4 + size)
      expect(pool.next(NOBODY)).toBe(size === 0 ? undefined : 4 + size)
    })
})

test('agrees with a plain set over 20,000 random steps', () => {
  const pool = createPool([
    { from: 0, to: 99 },
    { from: 200, to: 1300 },
  ])
  const free = new Set<number>()
  for (let ip = 0; ip <= 1300; ip++) if (ip < 100 || ip >= 200) free.add(ip)
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state % below
  }
  for (let step = 0; step < 20_000; step++) {
    const ip = random(1400)
    if (random(3) === 0) {
      pool.give(ip)
      if (ip < 100 || (ip >= 200 && ip <= 1300)) free.add(ip)
    } else {
      const next = random(2) === 0 ? (pool.next(NOBODY) ?? ip) : ip
      expect(pool.isFree(next)).toBe(free.has(next))
      pool.take(next)
      free.delete(next)
    }
    expect(pool.free).toBe(free.size)
  }
})

test('a nearly full pool of a million answers at once', () => {
  const pool = createPool([{ from: 1, to: 1_000_000 }])
  for (let ip = 1; ip < 1_000_000; ip++) pool.take(ip)
  for (let round = 0; round < 100_000; round++) {
    expect(pool.next(NOBODY) === 1_000_000).toBe(true)
    pool.take(1_000_000)
    pool.give(1_000_000)
  }
})
