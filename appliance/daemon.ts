import type { Log } from '@bridgehead/shared/log.ts'

/** A part that hangs must not hold up a restart; the store survives any end. */
export const STOP_MS = 10_000

/** A bug leaves memory in doubt; what was promised is on disk. The supervisor starts a fresh process. */
export function endOnBugs(log: Log): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) => {
      log.error('appliance.bug', { kind: event, error })
      process.exit(1)
    })
}

/** Until then the process lives, also where it has no socket yet: a box without token and site waits for a bundle. */
export function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    const alive = setInterval(() => undefined, 2 ** 30)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.once(signal, () => {
        clearInterval(alive)
        resolve()
      })
  })
}
