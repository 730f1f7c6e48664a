import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { renderScreen, type Screen } from './render.ts'

export interface ConsoleDeps {
  /** Such as /dev/tty1 (a screen) and /dev/ttyS0 (a line). */
  devices: readonly string[]
  screen: () => Screen
  clock: Clock
  log: Log
}

export interface BoxConsole extends Service {
  /** Something changed; shown soon. */
  refresh(): void
}

const LOOK_MS = 2_000
/** The kernel may write over a screen at any time. */
const REDRAW_MS = 10_000
/** Terminal that nobody reads from (flow control): given up for this turn. */
const WRITE_MS = 2_000

/** Writes the whole screen to each console: on screens at each change and every 10 s, on serial lines at each change. */
export function createConsole({ devices, screen, clock, log }: ConsoleDeps): BoxConsole {
  const shown = new Map<string, { text: string; at: number }>()
  let stopping = false
  let working: Promise<void> | undefined
  let endLooks = () => {}
  const failed = new Set<string>()

  const look = () => {
    working ??= draw().finally(() => {
      working = undefined
    })
  }
  const draw = async () => {
    const now = screen()
    const qr = now.claim ? (await import('./qr.ts')).qrLines(now.claim.url) : []
    const lines = renderScreen(now, qr)
    const text = lines.join('\n')
    for (const device of devices) {
      if (stopping) return
      const isScreen = /\/tty\d+$/.test(device)
      const before = shown.get(device)
      const age = clock.now() - (before?.at ?? 0)
      if (before?.text === text && (!isScreen || (age >= 0 && age < REDRAW_MS))) continue
      try {
        // home, each line cleared to its end, then all below: no flicker
        await put(device, isScreen ? `\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\r\n\x1b[J` : `\n${text}\n`, clock)
        failed.delete(device)
        shown.set(device, { text, at: clock.now() })
      } catch (error) {
        if (!failed.has(device)) log.warn('console.write_failed', { device, error })
        failed.add(device)
      }
    }
  }

  return {
    name: 'console',
    async start() {
      look()
      endLooks = clock.every(LOOK_MS, look)
    },
    async stop() {
      stopping = true
      endLooks()
      await working
    },
    refresh: look,
  }
}

async function put(device: string, text: string, clock: Clock): Promise<void> {
  const file = await open(device, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK)
  try {
    const bytes = Buffer.from(text)
    const until = clock.now() + WRITE_MS
    for (let at = 0; at < bytes.length; )
      try {
        at += (await file.write(bytes, at)).bytesWritten
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN') || clock.now() > until) throw error
        await clock.sleep(50)
      }
  } finally {
    await file.close()
  }
}
