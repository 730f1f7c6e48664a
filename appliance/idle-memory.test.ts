import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { expect, test } from 'vitest'
import { createIdleMemory } from './idle-memory.ts'

const MIB = 1 << 20

function idle() {
  const clock = steppedClock()
  const at = { busy: 0, heap: 20 * MIB, collected: 0 }
  const memory = createIdleMemory({
    ...{ clock, log: silentLog, busy: () => at.busy, heap: () => at.heap },
    collect() {
      at.collected++
      at.heap = 12 * MIB
    },
  })
  return { clock, at, memory }
}

test('what the start left behind is given back once the daemon is idle', async () => {
  const { clock, at, memory } = idle()
  await memory.start()
  at.busy = 0.5
  clock.advance(30_000)
  expect(at.collected).toBe(0)
  at.busy = 0.01
  clock.advance(5_000)
  expect(at.collected).toBe(1)
})

test('where its own work takes a tenth of the time, that is idle too, after a while; where clients ask all the time, it is not', async () => {
  const { clock, at, memory } = idle()
  await memory.start()
  at.busy = 0.25
  clock.advance(120_000)
  expect(at.collected).toBe(0)
  at.busy = 0.1
  clock.advance(5_000)
  expect(at.collected).toBe(1)
  at.heap = 20 * MIB
  clock.advance(20_000)
  expect(at.collected).toBe(1)
  clock.advance(5_000)
  expect(at.collected).toBe(2)
})

test('a heap that has hardly grown is left alone', async () => {
  const { clock, at, memory } = idle()
  await memory.start()
  clock.advance(5_000)
  at.heap = 14 * MIB
  clock.advance(60_000)
  expect(at.collected).toBe(1)
  at.heap = 16 * MIB
  clock.advance(5_000)
  expect(at.collected).toBe(2)
})

test('once stopped it collects nothing', async () => {
  const { clock, at, memory } = idle()
  await memory.start()
  await memory.stop()
  clock.advance(60_000)
  expect(at.collected).toBe(0)
})
