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
