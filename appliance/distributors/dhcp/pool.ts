/** Inclusive span of addresses, as numbers. */
export interface Span {
  from: number
  to: number
}

/**
 * Which addresses of a LAN's ranges are free: one bit each, under a tree of summary words, so that "the next free one" costs
 * log32(n) steps however full the pool is. Addresses are unsigned 32-bit numbers.
 */
export interface Pool {
  readonly size: number
  readonly free: number
  includes(ip: number): boolean
  isFree(ip: number): boolean
  /** Marks an address as used. Outside the ranges, and twice, it does nothing. */
  take(ip: number): void
  give(ip: number): void
  /**
   * The next free address after the one last taken, round and round, so that an address given back rests as long as possible.
   * Addresses that `avoid` names are set aside until `review`.
   */
  next(avoid: (ip: number) => boolean): number | undefined
  /** Puts the addresses set aside by `next` back: what is reserved may have changed. */
  review(): void
}

/** `excluded` are addresses inside the ranges that nobody may get: the appliance, the router. */
export function createPool(ranges: readonly Span[], excluded: readonly number[] = []): Pool {
  const spans = merge(ranges)
  const bases: number[] = []
  let size = 0
  for (const span of spans) {
    bases.push(size)
    size += span.to - span.from + 1
  }
  const bits = createFullBits(size)
  const aside = new Set<number>()
  let cursor = 0

  const placeOf = (ip: number): number => {
    const at = spans.findIndex((span) => ip >= span.from && ip <= span.to)
    return at < 0 ? -1 : (bases[at] ?? 0) + ip - (spans[at]?.from ?? 0)
  }
  const never = new Set(excluded.filter((ip) => placeOf(ip) >= 0))
  for (const ip of never) bits.clear(placeOf(ip))
  let free = size - never.size
  const indexOf = (ip: number): number => (never.has(ip) ? -1 : placeOf(ip))
  const ipAt = (index: number): number => {
    let at = bases.length - 1
    while ((bases[at] ?? 0) > index) at -= 1
    return (spans[at]?.from ?? 0) + index - (bases[at] ?? 0)
  }
  const set = (ip: number) => {
    const index = indexOf(ip)
    if (index >= 0 && bits.set(index)) free += 1
  }

  return {
    size: size - never.size,
    get free() {
      return free + aside.size
    },
    includes: (ip) => indexOf(ip) >= 0,
    isFree(ip) {
      const index = indexOf(ip)
      return index >= 0 && (bits.has(index) || aside.has(ip))
    },
    take(ip) {
      const index = indexOf(ip)
      if (index < 0) return
      aside.delete(ip)
      if (!bits.clear(index)) return
      free -= 1
      cursor = index + 1
    },
    give: set,
    next(avoid) {
      for (;;) {
        const index = bits.next(cursor) ?? bits.next(0)
        if (index === undefined) return undefined
        const ip = ipAt(index)
        if (!avoid(ip)) return ip
        bits.clear(index)
        free -= 1
        aside.add(ip)
      }
    },
    review() {
      for (const ip of aside) set(ip)
      aside.clear()
    },
  }
}

/** Sorted, without overlaps, so that no address counts twice. */
function merge(ranges: readonly Span[]): Span[] {
  const spans: Span[] = []
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = spans.at(-1)
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to)
    else spans.push({ from, to })
  }
  return spans
}

/** The numbers below `size`, all in it at first. Each bit of a level above says that the word below it is not empty. */
function createFullBits(size: number) {
  const levels: Int32Array[] = []
  for (let width = size; levels.length === 0 || width > 1; ) {
    const words = new Int32Array(Math.max(1, Math.ceil(width / 32))).fill(-1)
    if (width % 32 !== 0 || width === 0) words[words.length - 1] = (1 << (width & 31)) - 1
    levels.push(words)
    width = Math.ceil(width / 32)
  }
  const wordAt = (level: number, index: number) => levels[level]?.[index] ?? 0
  const put = (level: number, index: number, value: number) => {
    const words = levels[level]
    if (words) words[index] = value
  }
  const has = (at: number) => (wordAt(0, at >>> 5) & (1 << (at & 31))) !== 0
  return {
    has,
    /** False when it was set already. */
    set(at: number): boolean {
      if (has(at)) return false
      for (let level = 0, index = at; level < levels.length; level++, index >>>= 5)
        put(level, index >>> 5, wordAt(level, index >>> 5) | (1 << (index & 31)))
      return true
    },
    /** False when it was clear already. */
    clear(at: number): boolean {
      if (!has(at)) return false
      for (let level = 0, index = at; level < levels.length; level++, index >>>= 5) {
        const left = wordAt(level, index >>> 5) & ~(1 << (index & 31))
        put(level, index >>> 5, left)
        if (left !== 0) break
      }
      return true
    },
    /** The first member that is not below `from`. */
    next(from: number): number | undefined {
      for (let level = 0, at = from; level < levels.length; level++) {
        const bits = wordAt(level, at >>> 5) & (-1 << (at & 31))
        if (bits !== 0) {
          let found = (at & ~31) + trailingZeros(bits)
          for (let down = level - 1; down >= 0; down--) found = found * 32 + trailingZeros(wordAt(down, found))
          return found
        }
        at = (at >>> 5) + 1
      }
      return undefined
    },
  }
}

function trailingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}
