import { v7 } from 'uuid'

/** Makes a sortable id (UUIDv7, RFC 9562 §5.7). Injected, so that tests may count instead. */
export type NewId = () => string

/** In the order in which they were made, within one process. */
export const newId: NewId = () => {
  const random = randomBytes()
  const now = Date.now()
  if (now > msecs) {
    msecs = now
    seq = ((random[6] ?? 0) << 23) | ((random[7] ?? 0) << 15) | ((random[8] ?? 0) << 7) // top bit clear: room to count up
  } else {
    seq = (seq + 1) | 0
    if (seq === 0) msecs += 1
  }
  return v7({ random, msecs, seq })
}

let msecs = 0
let seq = 0

/** The system's generator is asked once for 256 ids: a call costs more than all the rest of making one. */
const pool = new Uint8Array(256 * 16)
let used = pool.length
function randomBytes(): Uint8Array {
  if (used === pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  used += 16
  return pool.subarray(used - 16, used)
}
