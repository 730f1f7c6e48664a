/** How far the reading of one site's event stream is. */
export interface StreamProgress {
  site: string
  /**
   * `new`: its consumer group may not exist. `pending`: entries were delivered before and perhaps not acknowledged; they are read first.
   * `live`: only what comes in.
   */
  phase: 'new' | 'pending' | 'live'
  /** Handler failures in a row. */
  failures: number
  /** Not to be read before (epoch ms). */
  notBefore: number
}

export interface ReadPlan {
  create: string[]
  pending: string[]
  live: string[]
  /** How long to wait for entries of `live` (or just to wait, when there are none), ms. */
  blockMs: number
}

/** No blocking read is longer: a longer one may hang after a reconnect without anybody noticing. */
export const BLOCK_MS = 5_000

/** What to read next. Streams whose handler failed rest until their time has come; the others are read meanwhile. */
export function planReads(streams: Iterable<StreamProgress>, now: number): ReadPlan {
  const plan: ReadPlan = { create: [], pending: [], live: [], blockMs: BLOCK_MS }
  for (const stream of streams) {
    if (stream.notBefore > now) {
      plan.blockMs = Math.min(plan.blockMs, Math.max(1, stream.notBefore - now))
      continue
    }
    if (stream.phase === 'new') plan.create.push(stream.site)
    if (stream.phase !== 'live') plan.pending.push(stream.site)
    else plan.live.push(stream.site)
  }
  return plan
}
