import { statfsSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { EventData } from '@bridgehead/shared/model/event.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import type { DataPlace } from './data.ts'

export interface Room {
  freeBytes: number
  totalBytes: number
}

/** What there is to say of the data partition. */
export type DataState = EventData<'appliance.data'>

/** Watches the data partition, so that a full one is told while everything still works: SQLite writes into old pages for days. */
export interface RoomWatch extends Service {
  state(): DataState
}

const LOOK_MS = 10_000
/** Less is "full": the store's log, a snapshot before an update and a lease file must fit. */
const FULL_BYTES = 16 * 1024 * 1024
/** And so much makes it well again. */
const ROOM_BYTES = 32 * 1024 * 1024

/** Pure: how it is judged now, after it was judged so before. */
export function judgeRoom({ freeBytes, totalBytes }: Room, before: 'ok' | 'full'): DataState {
  if (freeBytes >= (before === 'full' ? ROOM_BYTES : FULL_BYTES)) return { state: 'ok', freeBytes, totalBytes }
  const mib = (bytes: number) => Math.floor(bytes / 1024 / 1024)
  const why = `the data partition is full: ${mib(freeBytes)} of ${mib(totalBytes)} MiB are free`
  return { state: 'full', why, freeBytes, totalBytes }
}

export function createRoomWatch({
  place,
  store,
  outbox,
  clock,
  log,
  onChange,
  look = roomOf,
}: {
  place: DataPlace
  store: Pick<Store, 'write'>
  outbox: Pick<Outbox, 'add'>
  clock: Clock
  log: Log
  onChange: () => void
  look?: (directory: string) => Room
}): RoomWatch {
  let now: DataState = place.state === 'memory' ? { state: 'memory', why: place.why } : { state: 'ok' }
  let endLooks = () => {}

  const tell = () => {
    const { state, why } = now
    if (state === 'ok') log.info('data.room', { ...now })
    else if (state === 'full') log.error('data.full', { ...now })
    store
      .write(() => outbox.add('appliance.data', now))
      .catch((error: unknown) => log.error('store.write_failed', { what: why ?? state, error }))
    onChange()
  }
  const lookAgain = () => {
    const before = now.state
    if (before === 'memory') return
    now = judgeRoom(look(place.directory), before)
    if (now.state !== before) tell()
  }
  return {
    name: 'data room',
    async start() {
      if (now.state === 'memory') tell()
      lookAgain()
      endLooks = clock.every(LOOK_MS, lookAgain)
    },
    async stop() {
      endLooks()
    },
    state: () => now,
  }
}

function roomOf(directory: string): Room {
  const { bavail, blocks, bsize } = statfsSync(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}
