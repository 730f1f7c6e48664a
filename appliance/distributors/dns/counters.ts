/** Since start. Each query is in exactly one of `local`, `cached`, `forwarded`, `stale`... by how it was answered; the rest tells why not. */
export interface Counters {
  udp: number
  tcp: number
  /** Answered from whole kept answers, without decoding. */
  wireHits: number
  local: number
  cached: number
  forwarded: number
  stale: number
  coalesced: number
  /** From outside the LANs, or asking what we do not do (zone transfers, other classes). */
  refused: number
  /** Not a readable query: dropped without an answer. */
  malformed: number
  /** Readable, but broken further on: answered FORMERR, NOTIMP or BADVERS. */
  badQueries: number
  servfail: number
  truncated: number
  overloaded: number
  upstream: number
  upstreamErrors: number
  /** Messages to our upstream ports that did not answer what was asked. */
  spoofed: number
  tcpOpened: number
  tcpRefused: number
  sendErrors: number
}

export function createCounters(): Counters {
  return {
    udp: 0,
    tcp: 0,
    wireHits: 0,
    local: 0,
    cached: 0,
    forwarded: 0,
    stale: 0,
    coalesced: 0,
    refused: 0,
    malformed: 0,
    badQueries: 0,
    servfail: 0,
    truncated: 0,
    overloaded: 0,
    upstream: 0,
    upstreamErrors: 0,
    spoofed: 0,
    tcpOpened: 0,
    tcpRefused: 0,
    sendErrors: 0,
  }
}
