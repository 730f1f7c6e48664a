/** Lets tasks of one name run one after the other, within this process. */
export interface Turns {
  /** Gives up waiting, not the task of whoever is at it, when `signal` aborts. */
  take<T>(name: string, signal: AbortSignal, task: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>()
  return {
    async take(name, signal, task) {
      const before = last.get(name) ?? Promise.resolve()
      const { promise: mine, resolve: pass } = Promise.withResolvers<void>()
      const passed = before.then(() => mine)
      last.set(name, passed)
      void passed.then(() => {
        if (last.get(name) === passed) last.delete(name)
      })
      try {
        await untilAborted(before, signal)
        signal.throwIfAborted()
        return await task()
      } finally {
        pass()
      }
    },
  }
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
    void promise.then(done)
  })
}
