import { expect, test } from 'vitest'
import { steppedClock } from './clock.ts'
import { silentLog } from './log.ts'
import { backoffMs, supervise } from './supervise.ts'

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve()
}

/** A program that can be made to die or to fail to start. */
function fakeProgram() {
  const seen = { launches: 0, ended: 0, failing: false, die: () => {} }
  const launch = async () => {
    seen.launches++
    if (seen.failing) throw new Error('no such port')
    const { promise: gone, resolve } = Promise.withResolvers<string>()
    seen.die = () => resolve('killed')
    const end = async () => {
      seen.ended++
      resolve('ended')
    }
    return { pid: seen.launches, gone, end }
  }
  return { seen, launch }
}

function supervised() {
  const clock = steppedClock()
  const { seen, launch } = fakeProgram()
  return { clock, seen, supervisor: supervise({ name: 'fake', launch, log: silentLog, clock, random: () => 1 }) }
}

test('a program that dies is launched again, later and later while it fails', async () => {
  const { clock, seen, supervisor } = supervised()
  await supervisor.start()
  seen.failing = true
  seen.die()
  for (const [ms, launches] of [
    [199, 1],
    [1, 2], // 200 ms after it died
    [399, 2],
    [1, 3], // 400 ms after that
    [800, 4],
  ] as const) {
    await turns()
    clock.advance(ms)
    await turns()
    expect(seen.launches).toBe(launches)
  }
  seen.failing = false
  clock.advance(10_000)
  await turns()
  expect(seen.launches).toBe(5)
  await supervisor.stop()
  expect(seen.ended).toBeGreaterThan(0)
})

test('the first launch fails aloud', async () => {
  const { seen, supervisor } = supervised()
  seen.failing = true
  await expect(supervisor.start()).rejects.toThrow('no such port')
  await supervisor.stop()
})

test('stopped while it waits, it launches nothing more', async () => {
  const { clock, seen, supervisor } = supervised()
  await supervisor.start()
  seen.die()
  await turns()
  await supervisor.stop()
  clock.advance(60_000)
  await turns()
  expect(seen.launches).toBe(1)
})

test.each([
  { attempt: 1, random: 0, ms: 100 },
  { attempt: 1, random: 1, ms: 200 },
  { attempt: 3, random: 0.5, ms: 400 },
  { attempt: 50, random: 1, ms: 10_000 },
])('attempt $attempt with chance $random waits $ms ms', ({ attempt, random, ms }) => {
  expect(backoffMs(attempt, { floorMs: 100, capMs: 10_000, random: () => random })).toBe(ms)
})
