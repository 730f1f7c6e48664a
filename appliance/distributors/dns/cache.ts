import { RCODE, readQuestion, readRecords, setU16, setU32, TC, TYPE, u16, u32 } from '@bridgehead/shared/wire/dns.ts'

/** A forwarder's answer, kept as it came but for its OPT record, which speaks of the hop alone (RFC 6891 §6.1.1). */
export interface Reply {
  bytes: Buffer
  rcode: number
  /** Where the TTLs lie in `bytes`. */
  ttlsAt: readonly number[]
  /** Epoch ms. `until` equals `at` when it must not be kept. */
  at: number
  until: number
}

const MAX_TTL = 86_400
const MAX_NEGATIVE_TTL = 10_800 // RFC 2308 §5 suggests 1 to 3 hours
const FAILED_TTL = 2 // RFC 9520 §3.2 asks for at least one second

/** How long an answer may be kept, by its own TTLs. Throws WireError when it does not parse. */
export function toReply(message: Buffer, now: number): Reply {
  const rcode = u16(message, 2) & 15
  const { end, type } = readQuestion(message)
  const records = readRecords(message, end)
  const opt = records.find((record) => record.type === TYPE.OPT)
  // what follows the OPT is additional data, which may always be left out
  const kept = opt ? records.filter((record) => record.start < opt.start) : records
  const bytes = Buffer.from(message.subarray(0, opt ? opt.start : (records.at(-1)?.end ?? end)))
  setU16(bytes, 10, kept.filter((record) => record.section === 'additional').length)

  let seconds = MAX_TTL
  for (const record of kept) seconds = Math.min(seconds, record.ttl > 0x7fffffff ? 0 : record.ttl) // RFC 2181 §8
  const answered = kept.some((record) => record.section === 'answer' && (record.type === type || type === TYPE.ANY))
  if (u16(message, 2) & TC) seconds = 0
  else if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) seconds = FAILED_TTL
  else if (!answered) {
    // NXDOMAIN and NODATA live as long as the SOA says; without one they are not kept (RFC 2308 §5)
    const soa = kept.find((record) => record.section === 'authority' && record.type === TYPE.SOA)
    seconds = soa ? Math.min(seconds, MAX_NEGATIVE_TTL, u32(message, soa.end - 4)) : 0
  }
  return { bytes, rcode, ttlsAt: kept.map((record) => record.ttlAt), at: now, until: now + seconds * 1000 }
}

/** A copy with the TTLs as of `now`; a stale one is given `STALE_TTL`. */
export function aged(reply: Reply, now: number): Buffer {
  const out = Buffer.from(reply.bytes)
  const gone = Math.max(0, Math.floor((now - reply.at) / 1000))
  const stale = now >= reply.until && reply.until > reply.at
  for (const at of reply.ttlsAt) setU32(out, at, stale ? STALE_TTL : Math.max(0, u32(out, at) - gone))
  return out
}

const STALE_TTL = 30 // RFC 8767 §4

/** Bounded by bytes; the least recently used goes first. */
export interface Cache<T> {
  get(key: string): T | undefined
  set(key: string, value: T, bytes: number): void
  clear(): void
  readonly size: number
  readonly bytes: number
}

export function createCache<T>(maxBytes: number): Cache<T> {
  const entries = new Map<string, { value: T; bytes: number }>()
  let total = 0
  const drop = (key: string) => {
    total -= entries.get(key)?.bytes ?? 0
    entries.delete(key)
  }
  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key) // a Map keeps the order of insertion: the newest use goes last
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, bytes) {
      drop(key)
      const cost = bytes + key.length + OVERHEAD
      entries.set(key, { value, bytes: cost })
      total += cost
      for (const oldest of entries.keys()) {
        if (total <= maxBytes) break
        drop(oldest)
      }
    },
    clear() {
      entries.clear()
      total = 0
    },
    get size() {
      return entries.size
    },
    get bytes() {
      return total
    },
  }
}

const OVERHEAD = 200 // what V8 spends on an entry, roughly

/**
 * Two generations of a Map: as cheap as a Map on each hit, which is what the path of every local answer needs (an exact order of use
 * costs a quarter of the speed). At most `2 * perGeneration` entries.
 */
export function createGenerations<T>(perGeneration: number): {
  get(key: string): T | undefined
  set(key: string, value: T): void
  clear(): void
} {
  let young = new Map<string, T>()
  let old = new Map<string, T>()
  const set = (key: string, value: T) => {
    if (young.size >= perGeneration) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }
  return {
    get(key) {
      const hit = young.get(key)
      if (hit !== undefined) return hit
      const kept = old.get(key)
      if (kept !== undefined) set(key, kept)
      return kept
    },
    set,
    clear() {
      young = new Map()
      old = new Map()
    },
  }
}
