import type { LogEntry } from './write-log.ts'

/**
 * `flush`: just after the disk had confirmed a flush, nothing else written. `prefix`: some of the writes since then arrived, in order.
 * `torn`: the last of them only in part. `reordered`: any of them arrived, and any did not; a disk's cache promises no order.
 */
export type CutKind = 'flush' | 'prefix' | 'torn' | 'reordered'
export const CUT_KINDS: readonly CutKind[] = ['flush', 'prefix', 'torn', 'reordered']

/** A moment at which the power fails, and what the disk kept. Numbers are indices of log entries. */
export interface Cut {
  kind: CutKind
  /** All entries before this one are on disk for certain: it follows a flush. */
  durable: number
  /** All entries before this one had been given to the disk when the power failed. */
  at: number
  /** Of `durable` ... `at`, those that arrived, in order. */
  kept: readonly number[]
  /** Of the last kept one, only so many bytes arrived: whole sectors. */
  tornBytes?: number
}

export interface CutPlan {
  /** How many cuts at least; fewer only where the log has no more that differ. */
  count: number
  /** From 0 (included) to 1 (not). */
  random: () => number
  /** Windows that write here are cut at each of their writes, and torn at each sector. */
  precious?: (entry: LogEntry) => boolean
}

/** The writes between two flushes: entries `from` ... `to`, without the flush itself. */
interface Window {
  from: number
  to: number
  writes: number[]
}

/**
 * Every flush boundary is one cut, and so is every write of a precious window and each of its sectors. A quarter of `count` at least is of
 * each other kind, spread evenly over all windows. In the order of the log.
 */
export function planCuts(entries: readonly LogEntry[], { count, random, precious = () => false }: CutPlan): Cut[] {
  const windows = windowsOf(entries)
  const cuts = new Map<string, Cut>()
  const add = (cut: Cut | undefined) => {
    if (!cut) return
    const disk = `${cut.durable}|${cut.kept.join()}|${cut.tornBytes ?? ''}`
    if (!cuts.has(disk)) cuts.set(disk, cut)
  }
  for (const window of windows) {
    add({ kind: 'flush', durable: window.from, at: window.from, kept: [] })
    if (window.writes.some((index) => precious(at(entries, index)))) for (const cut of everyCut(entries, window)) add(cut)
  }
  const busy = windows.filter((window) => window.writes.length > 0)
  // Rounds: each gives every window (or evenly chosen ones, in a last round) one more cut. The bound is for logs with little in them.
  const fill = (make: Maker, wanted: () => number) => {
    for (let round = 0; wanted() > 0 && busy.length > 0 && round < ROUNDS; round++)
      for (const window of evenly(busy, Math.min(busy.length, wanted()))) add(make(entries, window, random))
  }
  for (const [kind, make] of Object.entries(MAKERS)) {
    let have = 0
    for (const cut of cuts.values()) if (cut.kind === kind) have++
    const others = cuts.size - have
    fill(make, () => Math.ceil(count / 4) - (cuts.size - others))
  }
  fill(torn, () => count - cuts.size)
  return [...cuts.values()].sort((a, b) => a.at - b.at || a.kept.length - b.kept.length)
}
const ROUNDS = 100

type Maker = (entries: readonly LogEntry[], window: Window, random: () => number) => Cut | undefined
const MAKERS: Record<Exclude<CutKind, 'flush'>, Maker> = { prefix, torn, reordered }

export function windowsOf(entries: readonly LogEntry[]): Window[] {
  const windows: Window[] = []
  let window: Window = { from: 0, to: 0, writes: [] }
  entries.forEach(({ kind }, index) => {
    if (kind === 'write') window.writes.push(index)
    window.to = index + 1
    if (kind !== 'flush') return
    window.to = index
    if (window.writes.length > 0 || windows.length === 0) windows.push(window)
    window = { from: index + 1, to: index + 1, writes: [] }
  })
  windows.push(window)
  return windows
}

/** Each write boundary in order, and each sector of each write (of long ones MOST_TEARS places). */
function* everyCut(entries: readonly LogEntry[], { from, writes }: Window): Generator<Cut> {
  for (let have = 0; have < writes.length; have++) {
    const kept = writes.slice(0, have + 1)
    const upTo = (writes[have] ?? from) + 1
    const { bytes } = at(entries, upTo - 1)
    const steps = Math.min(bytes / SECTOR_BYTES, MOST_TEARS)
    for (let step = 1; step < steps; step++)
      yield { kind: 'torn', durable: from, at: upTo, kept, tornBytes: Math.floor((step * bytes) / steps / SECTOR_BYTES) * SECTOR_BYTES }
    if (have + 1 < writes.length) yield { kind: 'prefix', durable: from, at: upTo, kept } // all of them is the next flush's cut
  }
}
const SECTOR_BYTES = 512
const MOST_TEARS = 16

function prefix(_: readonly LogEntry[], { from, writes }: Window, random: () => number): Cut | undefined {
  if (writes.length < 2) return undefined
  const kept = writes.slice(0, 1 + Math.floor(random() * (writes.length - 1)))
  return { kind: 'prefix', durable: from, at: (kept.at(-1) ?? from) + 1, kept }
}

function torn(entries: readonly LogEntry[], window: Window, random: () => number): Cut | undefined {
  const long = window.writes.filter((index) => at(entries, index).bytes > SECTOR_BYTES)
  const last = long[Math.floor(random() * long.length)]
  if (last === undefined) return undefined
  const sectors = at(entries, last).bytes / SECTOR_BYTES
  const tornBytes = SECTOR_BYTES * (1 + Math.floor(random() * (sectors - 1)))
  return { kind: 'torn', durable: window.from, at: last + 1, kept: window.writes.filter((index) => index <= last), tornBytes }
}

function reordered(_: readonly LogEntry[], { from, writes }: Window, random: () => number): Cut | undefined {
  if (writes.length < 2) return undefined
  const given = writes.slice(0, 2 + Math.floor(random() * (writes.length - 1)))
  const share = random()
  return { kind: 'reordered', durable: from, at: (given.at(-1) ?? from) + 1, kept: given.filter(() => random() < share) }
}

/** `count` of `things`, the first and the last among them, in order and as far apart as they can be. */
export function evenly<T>(things: readonly T[], count: number): T[] {
  if (count >= things.length) return [...things]
  return Array.from({ length: count }, (_, index) => at(things, Math.round((index * (things.length - 1)) / Math.max(1, count - 1))))
}

function at<T>(things: readonly T[], index: number): T {
  const thing = things[index]
  if (thing === undefined) throw new RangeError(`no ${index} in ${things.length}`)
  return thing
}

/** A sequence of numbers from 0 to 1 that is the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
