import { readFileSync, writeFileSync } from 'node:fs'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Helper } from '../helper.ts'

/** The clock of a box that forgets the time when it is switched off. */
export interface TimeKeeper extends Service {
  /** True once a time server, or the manager, was heard in this boot. */
  known(): boolean
  /** The manager's clock (HTTP Date, epoch ms): the last resort, and never backwards, because anybody may send it. */
  hint(ms: number): void
}

export interface TimeDeps {
  helper: Pick<Helper, 'setTime'>
  /** In order of trust: what a person or DHCP named. Asked before the pool. */
  servers: () => readonly string[]
  /** How far the clock is behind this server's, ms. */
  ask: (server: string) => Promise<number>
  /** Keeps the last known time, epoch ms as text. */
  file: string
  /** No time before this can be right: when this system was built, epoch ms. */
  floor: number
  clock: Clock
  log: Log
}

export const POOL = ['0.pool.ntp.org', '1.pool.ntp.org', '2.pool.ntp.org']
const RETRY_MS = 15_000
const STEADY_MS = 3_600_000
const SAVE_MS = 30 * 60_000
/** A clock that is off by less is left alone. */
const NEAR_MS = 500
const HINT_MS = 5_000

export function createTimeKeeper({ helper, servers, ask, file, floor, clock, log }: TimeDeps): TimeKeeper {
  const stopping = new AbortController()
  let synced = false
  let hinted = false
  let running: Promise<void> | undefined
  let endSaves = () => {}

  const set = async (ms: number, source: string) => {
    const off = ms - clock.now()
    try {
      await helper.setTime(ms)
      log.info('time.set', { source, ms: Math.round(off) })
    } catch (error) {
      log.error('time.set_failed', { source, error })
    }
  }
  const save = () => {
    try {
      writeFileSync(file, `${clock.now()}\n`, { mode: 0o600 })
    } catch (error) {
      log.debug('time.not_saved', { error }) // a full or broken disk has its own alarm
    }
  }
  /** The first that answers is believed. */
  const sync = async (): Promise<boolean> => {
    for (const server of [...servers(), ...POOL]) {
      if (stopping.signal.aborted) return false
      try {
        const behind = await ask(server)
        if (clock.now() + behind < floor)
          throw new Error(`it says ${new Date(clock.now() + behind).toISOString()}, which is before this system was built`)
        if (Math.abs(behind) >= NEAR_MS) await setOnTheSecond(behind, server)
        if (!synced) log.info('time.known', { server, behindMs: Math.round(behind) })
        return true
      } catch (error) {
        log.debug('time.no_answer', { server, error })
      }
    }
    return false
  }
  /** The helper sets whole seconds. */
  const setOnTheSecond = async (behind: number, server: string) => {
    const rest = 1000 - ((((clock.now() + behind) % 1000) + 1000) % 1000)
    await clock.sleep(rest, stopping.signal)
    await set(clock.now() + behind, server)
  }
  const run = async () => {
    while (!stopping.signal.aborted) {
      const ok = await sync()
      if (ok) {
        synced = true
        save()
      }
      await clock.sleep(ok ? STEADY_MS : RETRY_MS, stopping.signal)
    }
  }

  return {
    name: 'time',
    async start() {
      const last = Math.max(floor, readSaved(file))
      if (clock.now() < last) await set(last, 'last known')
      running = run()
      endSaves = clock.every(SAVE_MS, save)
    },
    async stop() {
      stopping.abort()
      endSaves()
      await running
      if (synced || hinted) save()
    },
    known: () => synced || hinted,
    hint(ms) {
      if (synced || stopping.signal.aborted || ms < floor) return
      if (ms - clock.now() > HINT_MS) void set(ms, 'manager')
      hinted = true
    },
  }
}

function readSaved(path: string): number {
  try {
    const ms = Number(readFileSync(path, 'utf8').trim())
    return Number.isSafeInteger(ms) && ms < 253_402_300_800_000 ? ms : 0 // before the year 10000
  } catch {
    return 0 // none yet, or a disk that cannot be read: it has its own alarm
  }
}
