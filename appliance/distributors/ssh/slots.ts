/** At most `limit` holders at a time; who waits is served in order. */
export interface Slots {
  /** Resolves with a function that gives the slot back (twice is harmless). */
  take(): Promise<() => void>
  /** Slots that nobody holds or waits for. */
  free(): number
}

export function createSlots(limit: number, onFree: () => void): Slots {
  let held = 0
  const waiting: (() => void)[] = []
  const give = () => {
    let isGiven = false
    held++
    return () => {
      if (isGiven) return
      isGiven = true
      held--
      const next = waiting.shift()
      if (next) next()
      else onFree()
    }
  }
  return {
    take: () =>
      new Promise((resolve) => {
        if (held < limit) resolve(give())
        else waiting.push(() => resolve(give()))
      }),
    free: () => Math.max(0, limit - held - waiting.length),
  }
}
