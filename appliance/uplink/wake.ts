import type { Clock } from '@bridgehead/shared/clock.ts'

/** Lets one loop sleep until there is something to do. A wake-up that comes while it works is not lost. */
export class Wake {
  #pending = false
  #resolve: (() => void) | undefined

  now(): void {
    this.#pending = true
    this.#resolve?.()
  }

  /** Resolves at the next `now()`, after `ms`, or when `signal` aborts. */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          cancel()
          signal.removeEventListener('abort', done)
          resolve()
        }
        const cancel = clock.after(ms, done)
        signal.addEventListener('abort', done)
        this.#resolve = done
      })
    }
    this.#resolve = undefined
    this.#pending = false
  }
}
