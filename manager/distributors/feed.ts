import type { Clock } from '@bridgehead/shared/clock.ts'

/** Wakes whoever waits for new facts. It carries none: readers go on from their own place in the table, so nothing is lost between. */
export interface Feed {
  wake(): void
  /** Resolves at the next `wake`, after `quietMs` without one, or when `signal` aborts. */
  next(signal: AbortSignal, quietMs: number): Promise<'news' | 'quiet' | 'closed'>
  /** Ends all waiting, now and later. */
  close(): void
}

export function createFeed({ clock }: { clock: Clock }): Feed {
  const waiting = new Set<() => void>()
  let closed = false
  const wake = () => {
    for (const tell of [...waiting]) tell()
  }
  return {
    wake,
    next(signal, quietMs) {
      return new Promise((resolve) => {
        if (closed || signal.aborted) return resolve('closed')
        const done = (what: 'news' | 'quiet' | 'closed') => {
          waiting.delete(tell)
          cancel()
          signal.removeEventListener('abort', tell)
          resolve(what)
        }
        const tell = () => done(closed || signal.aborted ? 'closed' : 'news')
        const cancel = clock.after(quietMs, () => done('quiet'))
        waiting.add(tell)
        signal.addEventListener('abort', tell)
      })
    },
    close() {
      closed = true
      wake()
    },
  }
}
