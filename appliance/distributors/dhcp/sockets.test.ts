import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { expect, test } from 'vitest'
import { createSockets } from './sockets.ts'

test('an address that is not there yet is tried again soon, then less and less often', async () => {
  const waits: number[] = []
  let again: (() => void) | undefined
  const after = (ms: number, run: () => void) => {
    waits.push(ms)
    again = run
    return () => {}
  }
  const sockets = createSockets({ clock: { ...systemClock, after }, log: silentLog, failed: () => {} })
  await sockets.set(new Map([['lan', { address: '192.0.2.1', port: 4011, receive: () => {} }]])) // RFC 5737: on no machine
  for (let tries = 1; tries < 8; tries++) {
    await expect.poll(() => waits.length).toBe(tries)
    again?.()
  }
  await expect.poll(() => waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  expect(sockets.closed()).toEqual(['192.0.2.1:4011'])
  await sockets.close()
})
