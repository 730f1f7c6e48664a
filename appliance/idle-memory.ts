import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'

export interface IdleMemoryDeps {
  clock: Clock
  log: Log
  /** A whole collection that gives memory back to the system. Undefined where Node runs without `--expose-gc`. */
  collect: (() => void) | undefined
  /** Share of time, 0 to 1, that the event loop was busy since the last call. */
  busy: () => number
  /** Bytes of the heap, garbage too. */
  heap: () => number
}

const LOOK_MS = 5_000
/**
 * A collection stops the world for 20 ms, on a small board 150: nobody shall wait for an answer meanwhile. So at first the event loop must be
 * all but still. For each look in vain it may be so much busier, up to MOST: on a small board the daemon's own self-tests take 5 % of the time.
 */
const IDLE = 0.02
const MOST = 0.2
/** Less is not worth it. */
const GROWN_BYTES = 3 << 20

/**
 * Gives memory back when nothing happens. V8 collects when it needs room, and an idle daemon needs none: what the start left behind, a third
 * of all, would stay for days.
 */
export function createIdleMemory({ clock, log, collect, busy, heap }: IdleMemoryDeps): Service {
  let stop = () => {}
  let kept = 0
  let allowed = 0
  const look = () => {
    const share = busy()
    if (heap() < kept + GROWN_BYTES) return
    allowed = Math.min(allowed + IDLE, MOST)
    if (share > allowed) return
    allowed = 0
    const before = heap()
    collect?.()
    kept = heap()
    log.debug('memory.collected', { bytes: before - kept, heapBytes: kept })
  }
  return {
    name: 'idle memory',
    async start() {
      busy()
      if (collect) stop = clock.every(LOOK_MS, look)
    },
    async stop() {
      stop()
    },
  }
}

/** What the process itself offers for it. */
export function processMemory(): Pick<IdleMemoryDeps, 'collect' | 'busy' | 'heap'> {
  const { gc } = globalThis
  let last = performance.eventLoopUtilization()
  return {
    collect: gc && (() => void gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })),
    busy() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      return utilization
    },
    heap: () => process.memoryUsage().heapTotal,
  }
}
