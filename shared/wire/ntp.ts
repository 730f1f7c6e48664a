import { WireError } from './errors.ts'

/*
 * NTP packet as SNTP uses it (RFC 5905 §7.3, §14)
 *
 *   0        1        2        3
 *   LI VN Mo stratum  poll     precision
 *   root delay | root dispersion | reference id            4 bytes each
 *   reference | origin | receive | transmit timestamp      8 bytes each: seconds since 1900, fraction / 2^32
 */
const PACKET_BYTES = 48
const STRATUM = 1
const ORIGIN = 24
const RECEIVE = 32
const TRANSMIT = 40
const VERSION = 4
const CLIENT = 3
const SERVER = 4
const UNSYNCHRONISED = 3
const MAX_STRATUM = 15
/** Seconds from 1900 to 1970, RFC 5905 figure 4. */
const EPOCH_SECONDS = 2_208_988_800
/** Era 0 ends in 2036; times before 2004 are then read as those of era 1. */
const PIVOT_SECONDS = EPOCH_SECONDS + 1_072_915_200
const ERA_SECONDS = 2 ** 32

export interface NtpAnswer {
  /** Epoch ms by the server's clock, when the question came and when the answer left. */
  receivedAt: number
  sentAt: number
  stratum: number
}

/** A question. `cookie` (8 random bytes) stands in the transmit field: it tells the answer from a forged one, and tells nobody our clock. */
export function encodeNtpRequest(cookie: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PACKET_BYTES)
  bytes[0] = (VERSION << 3) | CLIENT
  bytes.set(cookie.subarray(0, 8), TRANSMIT)
  return bytes
}

/** Throws WireError for what is no answer to the question with this cookie, or says that its sender does not know the time itself. */
export function decodeNtpAnswer(bytes: Uint8Array, cookie: Uint8Array): NtpAnswer {
  if (bytes.length < PACKET_BYTES) throw new WireError(`an NTP packet has ${PACKET_BYTES} bytes, this has ${bytes.length}`, bytes.length)
  const first = bytes[0] ?? 0
  if ((first & 7) !== SERVER) throw new WireError(`expected mode 4 (server), got ${first & 7}`, 0)
  for (let at = 0; at < 8; at++) if (bytes[ORIGIN + at] !== cookie[at]) throw new WireError('an answer to another question', ORIGIN + at)
  const stratum = bytes[STRATUM] ?? 0
  if (stratum === 0) throw new WireError(`the server refuses: ${kissCode(bytes)}`, STRATUM) // RFC 5905 §7.4
  if (stratum > MAX_STRATUM || first >> 6 === UNSYNCHRONISED) throw new WireError('the server does not know the time itself', STRATUM)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(TRANSMIT) === 0) throw new WireError('the server sent no time', TRANSMIT)
  return { receivedAt: readTime(view, RECEIVE), sentAt: readTime(view, TRANSMIT), stratum }
}

/** How far the local clock is behind (ms); `askedAt` and `heardAt` are its own readings. RFC 5905 §8. */
export function ntpOffset({ receivedAt, sentAt }: NtpAnswer, askedAt: number, heardAt: number): number {
  return (receivedAt - askedAt + (sentAt - heardAt)) / 2
}

function readTime(view: DataView, at: number): number {
  const seconds = view.getUint32(at)
  const era = seconds < PIVOT_SECONDS ? ERA_SECONDS : 0
  return (seconds + era - EPOCH_SECONDS) * 1000 + (view.getUint32(at + 4) / ERA_SECONDS) * 1000
}

const kissCode = (bytes: Uint8Array) => String.fromCharCode(...bytes.subarray(12, 16)).replace(/[^A-Z]/g, '?')
