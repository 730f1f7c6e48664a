import { WireError } from './errors.ts'

// Reading DNS messages in place: what a server and a forwarder must know without decoding every record (RFC 1035 §4.1).
//
//  0      2      4        6        8        10       12
//  | id   | flags| qdcount| ancount| nscount| arcount| question: name, type, class | records ...
//  flags:  qr opcode(4) aa tc rd | ra z ad cd rcode(4)
//  record: name | type | class | ttl(4) | length | data

export const HEADER_BYTES = 12
export const QR = 0x8000
export const AA = 0x0400
export const TC = 0x0200
export const RD = 0x0100
export const RA = 0x0080
export const CD = 0x0010

export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, IXFR: 251, AXFR: 252, ANY: 255 } as const
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const
export const CLASS_IN = 1

export interface DnsQuestion {
  /** Lower case, labels joined by dots, no dot at the end; the root is the empty text. Odd bytes are `\ddd`, dots inside a label `\.`. */
  name: string
  type: number
  class: number
  /** Offset behind the question. */
  end: number
}

/** EDNS of a query (RFC 6891 §6.1.2). */
export interface Edns {
  udpBytes: number
  version: number
  dnssecOk: boolean
}

export interface DnsQuery {
  id: number
  opcode: number
  recursionDesired: boolean
  checkingDisabled: boolean
  question: DnsQuestion
}

/** Where one record lies in a message; all offsets from the message's first byte. */
export interface DnsRecordView {
  section: 'answer' | 'authority' | 'additional'
  type: number
  class: number
  ttl: number
  start: number
  ttlAt: number
  dataAt: number
  end: number
}

/** A message that must be dropped without an answer (no header, a response, no readable question) throws WireError. */
export function readQuery(bytes: Uint8Array): DnsQuery {
  if (bytes.length < HEADER_BYTES) throw new WireError('message is shorter than its header', bytes.length)
  const flags = u16(bytes, 2)
  if (flags & QR) throw new WireError('a response, not a query', 2)
  if (u16(bytes, 4) !== 1) throw new WireError(`${u16(bytes, 4)} questions, expected one`, 4) // RFC 9619
  const question = readQuestion(bytes)
  return {
    id: u16(bytes, 0),
    opcode: (flags >> 11) & 15,
    recursionDesired: (flags & RD) !== 0,
    checkingDisabled: (flags & CD) !== 0,
    question,
  }
}

/** The EDNS part of a query. Throws WireError on a broken record and on two OPT records. */
export function readEdns(bytes: Uint8Array, question: DnsQuestion): Edns | undefined {
  const found = readRecords(bytes, question.end).filter((record) => record.type === TYPE.OPT)
  const [opt, second] = found
  if (second) throw new WireError('two OPT records (RFC 6891 §6.1.1)', second.start)
  if (!opt) return undefined
  return { udpBytes: opt.class, version: (opt.ttl >>> 16) & 255, dnssecOk: (opt.ttl & 0x8000) !== 0 }
}

/** The first question of a message. */
export function readQuestion(bytes: Uint8Array): DnsQuestion {
  const { name, end } = readName(bytes, HEADER_BYTES)
  if (end + 4 > bytes.length) throw new WireError('question ends early', bytes.length)
  return { name, type: u16(bytes, end), class: u16(bytes, end + 2), end: end + 4 }
}

/** Follows compression pointers backwards only, so that it always ends (RFC 1035 §4.1.4). */
export function readName(bytes: Uint8Array, offset: number): { name: string; end: number } {
  const labels: string[] = []
  let at = offset
  let end = -1
  let octets = 1
  for (;;) {
    const length = bytes[at]
    if (length === undefined) throw new WireError('name ends early', at)
    if (length === 0) break
    if (length >= 0xc0) {
      const low = bytes[at + 1]
      if (low === undefined) throw new WireError('pointer ends early', at)
      const target = ((length & 0x3f) << 8) | low
      if (target >= at) throw new WireError('pointer does not point back', at)
      if (end < 0) end = at + 2
      at = target
      continue
    }
    if (length > 63) throw new WireError('unknown label type', at)
    octets += length + 1
    if (octets > 255) throw new WireError('name is longer than 255 bytes', at)
    if (at + 1 + length > bytes.length) throw new WireError('label ends early', at)
    labels.push(label(bytes, at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: end < 0 ? at + 1 : end }
}

/** All records behind the question, in order. Throws WireError when the counts and the bytes disagree. */
export function readRecords(bytes: Uint8Array, offset: number): DnsRecordView[] {
  const found: DnsRecordView[] = []
  let at = offset
  for (const [section, count] of [
    ['answer', u16(bytes, 6)],
    ['authority', u16(bytes, 8)],
    ['additional', u16(bytes, 10)],
  ] as const)
    for (let index = 0; index < count; index++) {
      const head = skipName(bytes, at)
      if (head + 10 > bytes.length) throw new WireError('record ends early', bytes.length)
      const dataAt = head + 10
      const end = dataAt + u16(bytes, head + 8)
      if (end > bytes.length) throw new WireError('record data ends early', bytes.length)
      found.push({
        section,
        type: u16(bytes, head),
        class: u16(bytes, head + 2),
        ttl: u32(bytes, head + 4),
        start: at,
        ttlAt: head + 4,
        dataAt,
        end,
      })
      at = end
    }
  return found
}

/** Whether `reply` answers `query`: id, opcode, and the question byte for byte, letter case apart (RFC 5452 §9.1). */
export function isReplyTo(query: Uint8Array, reply: Uint8Array): boolean {
  if (reply.length < HEADER_BYTES || u16(reply, 0) !== u16(query, 0)) return false
  const flags = u16(reply, 2)
  if (!(flags & QR) || ((flags ^ u16(query, 2)) & 0x7800) !== 0) return false
  if (u16(reply, 4) === 0) return (flags & 15) !== RCODE.NOERROR && (flags & 15) !== RCODE.NXDOMAIN // a bare error may leave the question out
  if (u16(reply, 4) !== 1) return false
  const { end } = readQuestion(query)
  if (reply.length < end) return false
  for (let at = HEADER_BYTES; at < end; at++) if (lower(query[at] ?? 0) !== lower(reply[at] ?? 0)) return false
  return true
}

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

export function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2)
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value & 255
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  setU16(bytes, at, Math.floor(value / 0x10000))
  setU16(bytes, at + 2, value % 0x10000)
}

function skipName(bytes: Uint8Array, offset: number): number {
  for (let at = offset; ; ) {
    const length = bytes[at]
    if (length === undefined) throw new WireError('name ends early', at)
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    if (length > 63) throw new WireError('unknown label type', at)
    at += 1 + length
  }
}

function label(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = lower(bytes[at] ?? 0)
    if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`
    else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte)
    else text += `\\${String(byte).padStart(3, '0')}`
  }
  return text
}

const lower = (byte: number) => (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte)
