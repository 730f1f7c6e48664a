/** Time and timers, passed in so that tests can step them. All times are epoch milliseconds. */
export interface Clock {
  now(): number
  /** Calls `task` once after `ms`; the returned function cancels it. */
  after(ms: number, task: () => void): () => void
  /** Calls `task` every `ms`; the returned function ends that. Neither keeps the process alive. */
  every(ms: number, task: () => void): () => void
  /** Resolves after `ms`, or as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
  every(ms, task) {
    const timer = setInterval(task, ms)
    timer.unref?.()
    return () => clearInterval(timer)
  },
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done)
    })
  },
}

/** A clock that stands still until a test moves it with `advance`. */
export function steppedClock(start = 0): Clock & { advance(ms: number): void } {
  let now = start
  const due: { at: number; period?: number; task: () => void }[] = []
  const add = (entry: { at: number; period?: number; task: () => void }) => {
    due.push(entry)
    return () => {
      const index = due.indexOf(entry)
      if (index >= 0) due.splice(index, 1)
    }
  }
  return {
    now: () => now,
    after: (ms, task) => add({ at: now + ms, task }),
    every: (ms, task) => add({ at: now + ms, period: ms, task }),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        add({ at: now + ms, task: resolve })
        signal?.addEventListener('abort', () => resolve())
      }),
    advance(ms) {
      const end = now + ms
      for (;;) {
        const next = due.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        now = next.at
        if (next.period === undefined) due.splice(due.indexOf(next), 1)
        else next.at += next.period
        next.task()
      }
      now = end
    },
  }
}
