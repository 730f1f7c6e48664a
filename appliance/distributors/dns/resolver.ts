import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { RCODE, TC, u16 } from '@bridgehead/shared/wire/dns.ts'
import { aged, createCache, type Reply, toReply } from './cache.ts'
import type { Counters } from './counters.ts'
import { encodeQuery } from './encode.ts'
import { type Server, type Upstream, UpstreamError } from './upstream.ts'

export interface Asked {
  /** The question section's bytes. */
  question: Buffer
  /** Name, type and class, for the cache. */
  key: string
  dnssecOk: boolean
  checkingDisabled: boolean
}

export interface Resolver {
  /** What the cache holds, as of now; no waiting. */
  cached(asked: Asked): Buffer | undefined
  /**
   * Asks the forwarders, once for all who ask the same at the same time. Resolves with a message whose id, letter case and OPT the caller
   * sets; undefined when no forwarder could answer. Never rejects, never takes longer than `totalMs`.
   */
  resolve(asked: Asked): Promise<Buffer | undefined>
  clear(): void
  inFlight(): number
}

export interface ResolverLimits {
  cacheBytes: number
  /** Different questions under way; more are answered SERVFAIL. */
  inFlight: number
  /** First round and second round over all forwarders. */
  roundsMs: readonly number[]
  totalMs: number
}
export const RESOLVER_LIMITS: ResolverLimits = { cacheBytes: 8 << 20, inFlight: 512, roundsMs: [1000, 2000], totalMs: 4500 }

const RESTS_MS = 10_000 // a forwarder that did not answer is asked last for so long
const STALE_MS = 86_400_000 // RFC 8767: an old answer is better than none while the uplink is away

export function createResolver({
  clock,
  log,
  upstream,
  servers,
  counters,
  limits = RESOLVER_LIMITS,
}: {
  clock: Clock
  log: Log
  upstream: Upstream
  servers: () => readonly Server[]
  counters: Counters
  limits?: ResolverLimits
}): Resolver {
  const cache = createCache<Reply>(limits.cacheBytes)
  const underWay = new Map<string, Promise<Buffer | undefined>>()
  const resting = new Map<string, number>()
  let failing = false

  const keyOf = (asked: Asked) => `${asked.dnssecOk ? 1 : 0}${asked.checkingDisabled ? 1 : 0}${asked.key}`

  async function ask(asked: Asked, key: string): Promise<Buffer | undefined> {
    const reply = await askServers(asked)
    const now = clock.now()
    if (reply && reply.rcode !== RCODE.SERVFAIL && reply.rcode !== RCODE.REFUSED) {
      if (failing) log.info('dns.forwarders_back')
      failing = false
      if (reply.until > now) cache.set(key, reply, reply.bytes.length)
      return aged(reply, now)
    }
    const old = cache.get(key)
    if (old && old.rcode !== RCODE.SERVFAIL && now < old.until + STALE_MS) {
      counters.stale++
      return aged(old, now)
    }
    if (reply) cache.set(key, reply, reply.bytes.length)
    else if (!failing) {
      failing = true
      log.warn('dns.forwarders_failed', { servers: servers().map((server) => server.ip) })
    }
    return reply ? aged(reply, now) : undefined
  }

  /** Each forwarder in turn, twice; the first good answer wins, and the last bad one is better than none. */
  async function askServers(asked: Asked): Promise<Reply | undefined> {
    const query = encodeQuery(asked.question, asked)
    const deadline = clock.now() + limits.totalMs
    let last: Reply | undefined
    for (const roundMs of limits.roundsMs)
      for (const server of inOrder()) {
        const timeoutMs = Math.min(roundMs, deadline - clock.now())
        if (timeoutMs <= 0) return last
        const reply = await askOne(server, query, timeoutMs)
        if (reply && reply.rcode !== RCODE.SERVFAIL && reply.rcode !== RCODE.REFUSED) return reply
        last = reply ?? last
      }
    return last
  }

  function inOrder(): readonly Server[] {
    const now = clock.now()
    const rests = (server: Server) => ((resting.get(id(server)) ?? 0) > now ? 1 : 0)
    return [...servers()].sort((a, b) => rests(a) - rests(b)) // stable: the given order otherwise
  }

  async function askOne(server: Server, query: Buffer, timeoutMs: number): Promise<Reply | undefined> {
    counters.upstream++
    try {
      let message = await upstream.ask(server, query, { tcp: false, timeoutMs })
      if (u16(message, 2) & TC) message = await upstream.ask(server, query, { tcp: true, timeoutMs })
      // an old forwarder that does not know EDNS says FORMERR: once more without OPT (RFC 6891 §7)
      if ((u16(message, 2) & 15) === RCODE.FORMERR) message = await upstream.ask(server, withoutOpt(query), { tcp: false, timeoutMs })
      resting.delete(id(server))
      return u16(message, 4) === 1 ? toReply(message, clock.now()) : undefined
    } catch (error) {
      counters.upstreamErrors++
      if (error instanceof UpstreamError) resting.set(id(server), clock.now() + RESTS_MS)
      log.debug('dns.upstream_failed', { server: server.ip, why: error instanceof Error ? error.message : String(error) })
      return undefined
    }
  }

  return {
    cached(asked) {
      const reply = cache.get(keyOf(asked))
      const now = clock.now()
      return reply && now < reply.until ? aged(reply, now) : undefined
    },
    resolve(asked) {
      const key = keyOf(asked)
      const running = underWay.get(key)
      if (running) {
        counters.coalesced++
        return running
      }
      if (underWay.size >= limits.inFlight) {
        counters.overloaded++
        return Promise.resolve(undefined)
      }
      const started = ask(asked, key).finally(() => underWay.delete(key))
      underWay.set(key, started)
      return started
    },
    clear: () => cache.clear(),
    inFlight: () => underWay.size,
  }
}

const id = (server: Server) => `${server.ip}#${server.port}`

function withoutOpt(query: Buffer): Buffer {
  const out = Buffer.from(query.subarray(0, query.length - 11))
  out.writeUInt16BE(0, 10)
  return out
}
