import type { Clock } from './clock.ts'
import type { Log } from './log.ts'

/** A foreign program that runs and is ready. */
export interface Running {
  pid: number | undefined
  /** Resolves with a few words (exit code or signal) once it is gone; never rejects. */
  gone: Promise<string>
  /** Ends it in good order; resolves once it is gone. */
  end(): Promise<void>
}

export interface Supervisor {
  /** Launches once; throws what `launch` throws. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Full jitter: a random part of a bound that doubles with each attempt (1, 2, 3, ...), between `floorMs` and `capMs`. */
export function backoffMs(attempt: number, { floorMs, capMs, random }: { floorMs: number; capMs: number; random: () => number }): number {
  const bound = Math.min(capMs, floorMs * 2 ** Math.min(attempt, 30))
  return Math.max(floorMs, Math.round(random() * bound))
}

/** A run of this length forgets earlier failures. */
const STEADY_MS = 30_000

/** Keeps a program running: relaunched with back-off (0.1 to 10 s) whenever it goes, until `stop`. */
export function supervise({
  name,
  launch,
  log,
  clock,
  random = Math.random,
}: {
  name: string
  /** Resolves once the program is ready. */
  launch: () => Promise<Running>
  log: Log
  clock: Clock
  random?: () => number
}): Supervisor {
  let running: Running | undefined
  let stopping: AbortController | undefined
  let watched: Promise<void> = Promise.resolve()

  async function relaunch(signal: AbortSignal, failuresBefore: number): Promise<number> {
    for (let failures = failuresBefore + 1; ; failures++) {
      await clock.sleep(backoffMs(failures, { floorMs: 100, capMs: 10_000, random }), signal)
      if (signal.aborted) return failures
      try {
        running = await launch()
        log.info('process.back', { process: name, pid: running.pid })
        return failures
      } catch (error) {
        log.error('process.launch_failed', { process: name, attempt: failures, error })
      }
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    let failures = 0
    let since = clock.now()
    while (running && !signal.aborted) {
      const how = await running.gone
      if (signal.aborted) return
      running = undefined
      log.warn('process.gone', { process: name, how })
      if (clock.now() - since >= STEADY_MS) failures = 0
      failures = await relaunch(signal, failures)
      since = clock.now()
    }
  }

  return {
    async start() {
      stopping = new AbortController()
      running = await launch()
      watched = watch(stopping.signal)
    },
    async stop() {
      stopping?.abort()
      await running?.end()
      await watched
      await running?.end() // a relaunch that was under way
      running = undefined
    },
  }
}
