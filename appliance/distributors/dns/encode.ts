import type { LocalRecord } from '@bridgehead/shared/dns/records.ts'
import { AA, CD, type DnsQuery, type Edns, HEADER_BYTES, QR, RA, RCODE, RD, setU16, TC, TYPE, u16 } from '@bridgehead/shared/wire/dns.ts'
import dns2 from 'dns2'

const { Packet } = dns2

/** The largest answer that fits every path without fragments (DNS flag day 2020). Clients may ask for less, never get more. */
export const UDP_MAX = 1232

/** How many bytes this client takes: 512 without EDNS (RFC 1035 §4.2.1). */
export function replyLimit(transport: 'udp' | 'tcp', edns: Edns | undefined): number {
  if (transport === 'tcp') return 65_535
  return edns ? Math.max(512, Math.min(edns.udpBytes, UDP_MAX)) : 512
}

export interface ReplyTo {
  /** The query's bytes, whose question goes back as it came (letter case too). */
  bytes: Buffer
  query: DnsQuery
  edns: Edns | undefined
  limit: number
}

/** An answer of our own names, by `dns2`'s encoder; just the header with TC where it does not fit. */
export function encodeLocal(to: ReplyTo, rcode: number, answers: readonly LocalRecord[], authorities: readonly LocalRecord[]): Buffer {
  const packet = new Packet()
  packet.questions.push(new Packet.Question({ name: to.query.question.name, type: to.query.question.type, class: to.query.question.class }))
  for (const record of answers) packet.answers.push(new Packet.Resource({ ...record }))
  for (const record of authorities) packet.authorities.push(new Packet.Resource({ ...record }))
  const body = packet.toBuffer()
  to.bytes.copy(body, HEADER_BYTES, HEADER_BYTES, to.query.question.end)
  return finish(to, body, rcode, AA)
}

/** An answer without records: errors, refusals, truncation. */
export function encodeBare(to: ReplyTo, rcode: number, flags = 0): Buffer {
  const body = Buffer.alloc(to.query.question.end)
  to.bytes.copy(body, HEADER_BYTES, HEADER_BYTES)
  setU16(body, 4, 1)
  return finish(to, body, rcode, flags)
}

/**
 * Puts id, flags, rcode and our own OPT (RFC 6891 §6.1.1) on a message whose sections are done and hold no OPT; `flags` may carry AA, TC, AD.
 * Replaces what is too long for the client by a truncated answer. Changes `body`.
 */
export function finish(to: ReplyTo, body: Buffer, rcode: number, flags: number): Buffer {
  const whole = to.edns ? body.length + OPT_BYTES : body.length
  if (whole > to.limit) return encodeBare(to, rcode, (flags & AA) | TC)
  const out = to.edns ? Buffer.concat([body, opt(rcode, to.edns.dnssecOk)]) : body
  if (to.edns) setU16(out, 10, u16(out, 10) + 1)
  setU16(out, 0, to.query.id)
  const asked = (to.query.recursionDesired ? RD : 0) | (to.query.checkingDisabled ? CD : 0)
  setU16(out, 2, QR | (to.query.opcode << 11) | flags | asked | RA | (rcode & 15))
  return out
}

/** A query for a forwarder: recursion desired, EDNS with our size; id 0, set before sending. */
export function encodeQuery(question: Buffer, { dnssecOk, checkingDisabled }: { dnssecOk: boolean; checkingDisabled: boolean }): Buffer {
  const head = Buffer.alloc(HEADER_BYTES)
  setU16(head, 2, RD | (checkingDisabled ? CD : 0))
  setU16(head, 4, 1)
  setU16(head, 10, 1)
  return Buffer.concat([head, question, opt(RCODE.NOERROR, dnssecOk)])
}

/** The question section for a name of ours (an alias's target). */
export function encodeQuestion(name: string, type: number): Buffer {
  const packet = new Packet()
  packet.questions.push(new Packet.Question({ name, type, class: 1 }))
  return packet.toBuffer().subarray(HEADER_BYTES)
}

/** An alias of ours before a forwarder's answer for its target. */
export function encodeAlias(to: ReplyTo, aliases: readonly LocalRecord[], upstream: Buffer): Buffer {
  const packet = Packet.parse(upstream)
  const rcode = packet.header.rcode
  packet.questions = [new Packet.Question({ name: to.query.question.name, type: to.query.question.type, class: 1 })]
  packet.answers.unshift(...aliases.map((record) => new Packet.Resource({ ...record })))
  packet.additionals = []
  const body = packet.toBuffer()
  to.bytes.copy(body, HEADER_BYTES, HEADER_BYTES, to.query.question.end)
  return finish(to, body, rcode, 0)
}

const OPT_BYTES = 11

/** root | type 41 | our UDP size | extended rcode, version 0, DO | no options   (RFC 6891 §6.1.2, §6.1.3) */
function opt(rcode: number, dnssecOk: boolean): Buffer {
  const out = Buffer.alloc(OPT_BYTES)
  setU16(out, 1, TYPE.OPT)
  setU16(out, 3, UDP_MAX)
  out[5] = rcode >>> 4
  if (dnssecOk) out[7] = 0x80
  return out
}
