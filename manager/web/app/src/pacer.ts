/** Facts that come together make one look at the manager. */
const BATCH_MS = 300
/** A look that took long rests so many times as long: a list of ten thousand is read every few seconds, a short one at once. */
const REST = 20

/** Calls `read` for each key that was added, soon, never twice at a time, and never so often that nothing else gets its turn. */
export function createPacer(read: (key: string[]) => Promise<unknown>, now: () => number = Date.now) {
  const waiting = new Map<string, string[]>()
  const busyUntil = new Map<string, number>()
  let timer: ReturnType<typeof setTimeout> | undefined
  const schedule = () => {
    if (waiting.size > 0) timer ??= setTimeout(flush, BATCH_MS)
  }
  const flush = () => {
    timer = undefined
    for (const [name, key] of waiting) {
      const began = now()
      if ((busyUntil.get(name) ?? 0) > began) continue
      waiting.delete(name)
      busyUntil.set(name, Number.POSITIVE_INFINITY)
      void read(key).finally(() => busyUntil.set(name, now() + (now() - began) * REST))
    }
    schedule()
  }
  return {
    add(key: string[]) {
      waiting.set(key.join('/'), key)
      schedule()
    },
    close() {
      clearTimeout(timer)
      waiting.clear()
    },
  }
}
