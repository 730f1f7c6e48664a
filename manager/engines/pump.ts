import type { Clock } from '@bridgehead/shared/clock.ts'

/**
 * Runs `pass` one at a time. The returned function resolves after a pass that began after the call: calls that come while one runs
 * share the next. A pass that throws is told to `onError` and does not reject, so that timers may call it.
 */
export function createPump(pass: () => Promise<void>, onError: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  return () => {
    next ??= running.then(() => {
      next = undefined
      running = pass().catch(onError)
      return running
    })
    return next
  }
}

export interface Sweeper {
  /** A pass soon; calls that come together share it. */
  kick(): void
  /** Resolves after a pass that began after the call; at once when it is stopped. */
  settled(): Promise<void>
  /** A pass now, and one each `everyMs` from here on. */
  start(): Promise<void>
  /** Resolves when the pass under way is over; no other follows. */
  stop(): Promise<void>
}

/** A pump for work that waits in the database: soon after each change, and again and again for what a crash or a lost Redis left. */
export function createSweeper(deps: {
  pass(): Promise<void>
  clock: Clock
  /** Changes that come together make one pass. */
  debounceMs: number
  everyMs: number
  onError(error: unknown): void
}): Sweeper {
  let stopped = false
  let cancelKick: (() => void) | undefined
  let cancelTimer: (() => void) | undefined
  const pump = createPump(async () => {
    if (!stopped) await deps.pass()
  }, deps.onError)
  return {
    kick() {
      if (stopped) return
      cancelKick ??= deps.clock.after(deps.debounceMs, () => {
        cancelKick = undefined
        void pump()
      })
    },
    settled: pump,
    async start() {
      stopped = false
      cancelTimer = deps.clock.every(deps.everyMs, () => void pump())
      await pump()
    },
    async stop() {
      stopped = true
      cancelKick?.()
      cancelTimer?.()
      await pump()
    },
  }
}
