import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { expect, test } from 'vitest'
import { createOutbox } from '../store/outbox.ts'
import { openStore } from '../store/store.ts'
import type { DataPlace } from './data.ts'
import { createRoomWatch, judgeRoom } from './data-room.ts'

const MIB = 1024 * 1024

for (const row of [
  { partition: 'with room', free: 300, before: 'ok', state: 'ok' },
  { partition: 'that has little room left', free: 20, before: 'ok', state: 'ok' },
  { partition: 'without room', free: 15, before: 'ok', state: 'full' },
  { partition: 'that got a little room back', free: 20, before: 'full', state: 'full' },
  { partition: 'that got room back', free: 32, before: 'full', state: 'ok' },
] as const)
  test(`a data partition ${row.partition}, ${row.before} before, is ${row.state}`, () =>
    expect(judgeRoom({ freeBytes: row.free * MIB, totalBytes: 598 * MIB }, row.before).state).toBe(row.state))

function watch(place: DataPlace) {
  const store = openStore(':memory:')
  const clock = steppedClock()
  let ids = 0
  const outbox = createOutbox(store.db, { clock, newId: () => `event-${ids++}` })
  const disk = { freeBytes: 300 * MIB, totalBytes: 598 * MIB }
  let shown = 0
  const onChange = () => void shown++
  const room = createRoomWatch({ place, store, outbox, clock, log: silentLog, onChange, look: () => ({ ...disk }) })
  const told = () =>
    store.db
      .prepare<[], { event: string }>('SELECT event FROM outbox ORDER BY seq')
      .all()
      .map(({ event }) => JSON.parse(event).data.state)
  return { room, clock, disk, told, shown: () => shown }
}

test('a disk that fills up is said once, to the manager and on the screen, and so is its return', async () => {
  const { room, clock, disk, told, shown } = watch({ directory: '/data', state: 'disk', mayReturn: false })
  await room.start()
  disk.freeBytes = 0
  for (let round = 0; round < 3; round++) clock.advance(10_000)
  expect(room.state().why).toBe('the data partition is full: 0 of 598 MiB are free')
  disk.freeBytes = 40 * MIB
  clock.advance(10_000)
  expect([told(), shown()]).toEqual([['full', 'ok'], 2])
  await room.stop()
})

test('a box that works from memory says why at its start', async () => {
  const { room, told } = watch({ directory: '/run', state: 'memory', why: 'the data partition is read-only', mayReturn: true })
  await room.start()
  expect(room.state()).toEqual({ state: 'memory', why: 'the data partition is read-only' })
  expect(told()).toEqual(['memory'])
  await room.stop()
})
