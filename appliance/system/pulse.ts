import { closeSync, openSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'

export interface PulseDeps {
  /** Whether the services still work; see Health. */
  alive: () => boolean
  /** Touched while all is well: the supervisor ends a daemon that stops doing so. */
  file: string
  /** Hardware watchdog: resets the machine that nobody feeds. Undefined where there is none. */
  watchdog: string | undefined
  /** Opens the watchdog for writing. */
  open?: (path: string) => number
  clock: Clock
  log: Log
}

const EVERY_MS = 2_000

/** Tells those who watch this process that it lives. The watchdog stays armed when the daemon ends: somebody must come after it. */
export function createPulse({ alive, file, watchdog, open = (path) => openSync(path, 'w'), clock, log }: PulseDeps): Service {
  let device: number | undefined
  let wanted = watchdog
  let well = true
  let endBeats = () => {}

  const beat = () => {
    const now = alive()
    if (now !== well) {
      if (now) log.info('pulse.back')
      else log.error('pulse.stopped')
    }
    well = now
    if (!now) return
    touch(file)
    if (device === undefined && wanted !== undefined) take(wanted)
    if (device !== undefined) writeSync(device, '\0')
  }
  const take = (path: string) => {
    try {
      device = open(path)
      log.info('pulse.watchdog', { device: path })
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EBUSY') return // the system's start feeds it until it sees the file
      wanted = undefined
      log.warn('pulse.no_watchdog', { device: path, error })
    }
  }

  return {
    name: 'pulse',
    async start() {
      beat()
      endBeats = clock.every(EVERY_MS, beat)
    },
    async stop() {
      endBeats()
      if (device !== undefined) closeSync(device)
      device = undefined
    },
  }
}

function touch(path: string): void {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    writeFileSync(path, '')
  }
}
