/** One artifact in the cache, as far as making room for another is concerned. */
export interface Held {
  sha256: string
  bytes: number
  /** Epoch ms. */
  lastUsed: number
  wanted: boolean
}

/**
 * What to remove so that `needed` bytes fit and `reserve` bytes stay free: never what is wanted, longest unused first.
 * `missing` is what is still lacking after that (then nothing should be removed, for it would not help).
 */
export function planEviction(
  { needed, free, reserve }: { needed: number; free: number; reserve: number },
  held: readonly Held[],
): { remove: string[]; missing: number } {
  let missing = needed + reserve - free
  const remove: string[] = []
  for (const one of held.filter(({ wanted }) => !wanted).sort((a, b) => a.lastUsed - b.lastUsed)) {
    if (missing <= 0) break
    remove.push(one.sha256)
    missing -= one.bytes
  }
  return missing > 0 ? { remove: [], missing } : { remove, missing: 0 }
}

/** A download that waits for its turn. */
export interface Waiting {
  bytes: number
  /** Not before this (epoch ms). */
  notBefore: number
  /** Someone waits for it. */
  urgent: boolean
}

/** The next to start: urgent ones first, then small ones, so that machines can boot while images still come. */
export function nextDownload<T extends Waiting>(waiting: Iterable<T>, now: number): T | undefined {
  return [...waiting]
    .filter(({ notBefore }) => notBefore <= now)
    .sort((a, b) => Number(b.urgent) - Number(a.urgent) || a.bytes - b.bytes)[0]
}
