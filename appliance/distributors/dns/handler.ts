import type { Zone } from '@bridgehead/shared/dns/zone.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { CLASS_IN, HEADER_BYTES, QR, RCODE, readEdns, readQuery, TC, TYPE, u16 } from '@bridgehead/shared/wire/dns.ts'
import { WireError } from '@bridgehead/shared/wire/errors.ts'
import { answer } from './answer.ts'
import { createGenerations } from './cache.ts'
import type { Counters } from './counters.ts'
import { encodeAlias, encodeBare, encodeLocal, encodeQuestion, finish, type ReplyTo, replyLimit } from './encode.ts'
import type { Asked, Resolver } from './resolver.ts'

export interface Handler {
  /** Answers `bytes` by calling `send` once, now or later, or never when the message must be dropped: then it is false. Never throws. */
  handle(bytes: Buffer, transport: 'udp' | 'tcp', send: (reply: Buffer) => void): boolean
  /** Answers REFUSED to someone who may not ask here. */
  refuse(bytes: Buffer, send: (reply: Buffer) => void): void
  /** Forgets whole answers; call it when the zone has changed. */
  clear(): void
}

const KEPT_PER_GENERATION = 8192 // whole answers of at most 1232 bytes: 20 MiB at the very worst, 2 MiB as a rule
const OPT_BYTES = 11
const REFUSED_TYPES = new Set<number>([TYPE.AXFR, TYPE.IXFR, TYPE.OPT])
const MAX_KEY = 300 // header, the longest name, type, class, OPT without options

/** From a message to its answer: the site's names at once, everything else by the resolver. */
export function createHandler({
  zone,
  resolver,
  counters,
  log,
}: {
  zone: () => Zone
  resolver: Resolver
  counters: Counters
  log: Log
}): Handler {
  // by all bytes behind the id: same question, letter case, flags and OPT, hence the same answer
  const whole = createGenerations<Buffer>(KEPT_PER_GENERATION)

  function decodeAndAnswer(bytes: Buffer, transport: 'udp' | 'tcp'): Buffer | Promise<Buffer> {
    const query = readQuery(bytes)
    const to: ReplyTo = { bytes, query, edns: undefined, limit: 512 }
    try {
      to.edns = readEdns(bytes, query.question)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return bad(to, RCODE.FORMERR)
    }
    to.limit = replyLimit(transport, to.edns)
    if (query.opcode !== 0) return bad(to, RCODE.NOTIMP)
    if (to.edns && to.edns.version > 0) return bad(to, RCODE.BADVERS)
    const { name, type } = query.question
    if (query.question.class !== CLASS_IN || REFUSED_TYPES.has(type)) return refused(to)

    const found = answer(zone(), name, type)
    if (found.kind === 'forward')
      return forward(to, bytes.subarray(HEADER_BYTES, query.question.end), name, (message) => withoutChange(to, message))
    if (found.kind === 'alias')
      return forward(to, encodeQuestion(found.target, type), found.target, (message) => encodeAlias(to, found.answers, message))

    counters.local++
    // names with dots or blanks inside a label are none of ours, and dns2 cannot spell them
    const reply = name.includes('\\') ? encodeBare(to, found.rcode) : encodeLocal(to, found.rcode, found.answers, found.authorities)
    // options (cookies) differ with each query; such an answer would be kept in vain
    const withoutOptions = query.question.end + (to.edns ? OPT_BYTES : 0)
    if (transport === 'udp' && bytes.length === withoutOptions && bytes.length <= MAX_KEY) whole.set(keyOf(bytes), Buffer.from(reply))
    return counted(reply)
  }

  /** From the cache, or a promise of what the forwarders say. `wrap` makes the client's answer of a message and may change it. */
  function forward(to: ReplyTo, question: Buffer, name: string, wrap: (message: Buffer) => Buffer): Buffer | Promise<Buffer> {
    const asked: Asked = {
      question: Buffer.from(question), // the datagram's memory may be used again
      key: `${to.query.question.type} ${name}`,
      dnssecOk: to.edns?.dnssecOk ?? false,
      checkingDisabled: to.query.checkingDisabled,
    }
    const finished = (message: Buffer | undefined) => {
      try {
        return counted(message ? wrap(message) : encodeBare(to, RCODE.SERVFAIL))
      } catch (error) {
        log.warn('dns.answer_failed', { name: to.query.question.name, error })
        return counted(encodeBare(to, RCODE.SERVFAIL))
      }
    }
    const cached = resolver.cached(asked)
    if (cached) {
      counters.cached++
      return finished(cached)
    }
    if (!to.query.recursionDesired) return refused(to)
    counters.forwarded++
    // several clients may wait for the same message: each gets a copy of its own
    return resolver.resolve(asked).then((message) => finished(message && Buffer.from(message)))
  }

  function counted(reply: Buffer): Buffer {
    const flags = u16(reply, 2)
    if (flags & TC) counters.truncated++
    if ((flags & 15) === RCODE.SERVFAIL) counters.servfail++
    return reply
  }

  function bad(to: ReplyTo, rcode: number): Buffer {
    counters.badQueries++
    return encodeBare(to, rcode)
  }

  function refused(to: ReplyTo): Buffer {
    counters.refused++
    return encodeBare(to, RCODE.REFUSED)
  }

  return {
    handle(bytes, transport, send) {
      const hit = transport === 'udp' && bytes.length <= MAX_KEY ? whole.get(keyOf(bytes)) : undefined
      if (hit !== undefined) {
        counters.wireHits++
        const reply = Buffer.allocUnsafe(hit.length)
        hit.copy(reply)
        reply[0] = bytes[0] ?? 0
        reply[1] = bytes[1] ?? 0
        send(reply)
        return true
      }
      try {
        const reply = decodeAndAnswer(bytes, transport)
        if (reply instanceof Promise) void reply.then(send)
        else send(reply)
        return true
      } catch (error) {
        if (error instanceof WireError) {
          counters.malformed++
          return false
        }
        counters.servfail++
        log.error('dns.handler_failed', { error })
        send(headerOnly(bytes, RCODE.SERVFAIL))
        return true
      }
    },
    refuse(bytes, send) {
      counters.refused++
      if (bytes.length >= HEADER_BYTES && !(u16(bytes, 2) & QR)) send(headerOnly(bytes, RCODE.REFUSED))
    },
    clear: () => whole.clear(),
  }
}

/** A forwarder's message under this client's id, letter case, flags and OPT. AD is not passed on: nobody validated here (RFC 6840 §5.8). */
function withoutChange(to: ReplyTo, message: Buffer): Buffer {
  to.bytes.copy(message, HEADER_BYTES, HEADER_BYTES, to.query.question.end)
  return finish(to, message, u16(message, 2) & 15, 0)
}

/** All bytes behind the id, a character each. */
function keyOf(bytes: Buffer): string {
  return bytes.toString('latin1', 2)
}

function headerOnly(bytes: Buffer, rcode: number): Buffer {
  const out = Buffer.alloc(HEADER_BYTES)
  bytes.copy(out, 0, 0, 4)
  out.writeUInt16BE(QR | (u16(bytes, 2) & 0x7910) | rcode, 2)
  return out
}
