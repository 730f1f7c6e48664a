import type { BootClient } from '@bridgehead/shared/boot/client.ts'
import { type Mac, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import type { DhcpPacket, MessageType } from '@bridgehead/shared/wire/dhcp.ts'
import { bootClientOf, decodeEncapsulated, hex, PXE } from '@bridgehead/shared/wire/dhcp-boot.ts'
import { OPTION, readText, readU32 } from '@bridgehead/shared/wire/dhcp-options.ts'
import { bootServerFields, proxyFields, serveFields } from './boot-options.ts'
import type { Segment } from './context.ts'
import { type Ask, type Decision, decide } from './decide.ts'
import type { DhcpDeps } from './deps.ts'
import { destination, encodeReply, type Reply } from './reply.ts'

/** A client's message as it came in. */
export interface Arrival {
  packet: DhcpPacket
  type: MessageType
  mac: Mac
  client: BootClient | undefined
  unicast: boolean
}

/** What leaves for it. `to` tells the port: the client's, or a relay's. */
export interface Outgoing {
  bytes: Uint8Array
  ip: number
  to: 'client' | 'relay'
}

export function arrivalOf(packet: DhcpPacket, type: MessageType, mac: Mac, unicast: boolean): Arrival {
  return { packet, type, mac, client: bootClientOf(packet, mac), unicast }
}

const OFFER_MS = 60_000
const DECLINE_MS = 60 * 60_000
const TELL_FULL_MS = 60_000
const ALONE_MS = 10 * 60_000

export interface Served {
  outgoing: Outgoing | undefined
  reply: Decision['reply']
  why: string
  /** The pool had nothing for it. */
  full: boolean
}

/** Full DHCP. Called inside `store.write` unless nothing of it can write (a discover of no boot client). */
export function serve(segment: Segment, arrival: Arrival, deps: DhcpDeps): Served {
  const { packet, mac, type, client } = arrival
  const { lan, book } = segment
  const ask = askOf(arrival)
  const policy = { server: segment.facts.server, leaseMs: lan.leaseSeconds * 1000, authoritative: isAlone(segment, deps.clock.now()) }
  const decision = decide(ask, book.situation(mac, ask), policy)
  const reply = decision.reply === 'none' ? undefined : replyFor(segment, arrival, decision, deps)
  if (client) tellBoot(segment, client, type, decision, deps)
  store(segment, arrival, decision, deps) // last: what was thrown above has changed nothing
  const { why } = decision
  if (reply === undefined) return { outgoing: undefined, reply: 'none', why, full: type === 'discover' }
  return {
    outgoing: { bytes: encodeReply(packet, segment.facts, reply), ...destination(packet, reply.type) },
    reply: reply.type,
    why,
    full: false,
  }
}

/** No other server was heard for ten minutes: two rounds of looking around. */
function isAlone({ foreign }: Segment, now: number): boolean {
  for (const { heard } of foreign.values()) if (now - heard < ALONE_MS) return false
  return true
}

function replyFor({ lan, facts }: Segment, { client }: Arrival, decision: Decision, { boot }: DhcpDeps): Reply | undefined {
  if (decision.reply === 'none') return undefined
  if (decision.reply === 'nak') return { type: 'nak', yiaddr: 0, message: decision.why }
  return {
    type: decision.reply,
    yiaddr: decision.ip ?? 0,
    leaseMs: decision.leaseMs,
    network: facts.network,
    boot: client && serveFields(client, boot.advise(client, lan)),
  }
}

function tellBoot({ lan }: Segment, client: BootClient, type: MessageType, decision: Decision, { boot }: DhcpDeps): void {
  if (type !== 'discover' && type !== 'request') return
  const ip = decision.ip === undefined ? undefined : numberToIpv4(decision.ip)
  boot.saw(client, lan, type, ip)
  if (decision.reply === 'offer' || decision.reply === 'ack') boot.saw(client, lan, decision.reply, ip)
}

function store(segment: Segment, arrival: Arrival, { change, ip = 0, leaseMs = 0, why }: Decision, deps: DhcpDeps): void {
  const { book, lan } = segment
  const { mac } = arrival
  const now = deps.clock.now()
  if (change === 'offer') book.offer(mac, ip, now + OFFER_MS)
  else if (change === 'unoffer') book.unoffer(mac)
  else if (change === 'bind') bind(segment, arrival, ip, now + leaseMs, why, deps)
  else if (change === 'release') {
    book.release(mac)
    deps.outbox.add('dhcp.release', { mac, ip: numberToIpv4(ip), lan: lan.name, why: 'released' })
    deps.log.info('dhcp.released', { lan: lan.name, mac, ip: numberToIpv4(ip) })
  } else if (change === 'decline') {
    book.decline(mac, ip, now + DECLINE_MS)
    deps.outbox.add('dhcp.release', { mac, ip: numberToIpv4(ip), lan: lan.name, why: 'declined' })
    deps.log.warn('dhcp.declined', { lan: lan.name, mac, ip: numberToIpv4(ip) })
  }
}

/** Events tell of what is new: a renewal is none. */
function bind({ book, lan }: Segment, { packet, mac }: Arrival, ip: number, until: number, why: string, { outbox, log }: DhcpDeps): void {
  const hostname = hostnameOf(packet)
  const { news, left } = book.bind({ ip, mac, client: hex(packet.options.get(OPTION.clientId) ?? NOTHING), hostname, until })
  if (left !== undefined) outbox.add('dhcp.release', { mac, ip: numberToIpv4(left), lan: lan.name, why: 'released' })
  if (!news) return
  outbox.add('dhcp.lease', { mac, ip: numberToIpv4(ip), lan: lan.name, until, ...(hostname === undefined ? {} : { hostname }) })
  log.info('dhcp.lease', { lan: lan.name, mac, ip: numberToIpv4(ip), hostname, why })
}

/** At most once a minute and LAN: a flood of machines is one fact. Inside `store.write`. */
export function tellFull(segment: Segment, mac: Mac, { clock, outbox, log }: DhcpDeps): void {
  const now = clock.now()
  if (now - segment.poolFullTold < TELL_FULL_MS) return
  segment.poolFullTold = now
  log.warn('dhcp.pool-full', { lan: segment.lan.name, mac, size: segment.book.counts().size })
  outbox.add('dhcp.pool-full', { lan: segment.lan.name, mac })
}

/** ProxyDHCP: only what to boot, only to those who ask for it; the lease comes from the LAN's own server. Inside `store.write`. */
export function proxy(segment: Segment, { packet, type, client }: Arrival, { boot }: DhcpDeps): Outgoing | undefined {
  if (client === undefined) return undefined
  if (type === 'request') boot.saw(client, segment.lan, 'request', addressOf(packet))
  if (type !== 'discover') return undefined
  boot.saw(client, segment.lan, 'discover')
  const fields = proxyFields(client, boot.advise(client, segment.lan), packet)
  if (fields === undefined) return undefined
  boot.saw(client, segment.lan, 'offer')
  return { bytes: encodeReply(packet, segment.facts, { type: 'offer', yiaddr: 0, boot: fields }), ...destination(packet, 'offer') }
}

/** PXE boot item that a client asks a boot server for (option 43.71). Throws WireError when option 43 is malformed. */
export function bootItemOf({ options }: DhcpPacket): Uint8Array | undefined {
  const vendor = options.get(OPTION.vendorSpecific)
  return vendor && decodeEncapsulated(vendor).get(PXE.bootItem)
}

/** Port 4011: a client that has an address asks the boot server for its file. Inside `store.write`. The answer goes where it came from. */
export function bootServer(
  segment: Segment,
  { packet, type, client }: Arrival,
  item: Uint8Array | undefined,
  { boot }: DhcpDeps,
): Uint8Array | undefined {
  if (client === undefined || (type !== 'request' && type !== 'inform' && type !== 'discover')) return undefined
  boot.saw(client, segment.lan, 'request', addressOf(packet))
  const fields = bootServerFields(client, boot.advise(client, segment.lan), packet, item)
  if (fields === undefined) return undefined
  boot.saw(client, segment.lan, 'ack', addressOf(packet))
  return encodeReply(packet, segment.facts, { type: 'ack', yiaddr: 0, boot: fields })
}

function askOf({ packet, type, unicast }: Arrival): Ask {
  const { options, ciaddr } = packet
  const lease = readU32(options.get(OPTION.leaseTime))
  return {
    type,
    ciaddr,
    requested: readU32(options.get(OPTION.requestedIp)) || undefined,
    server: readU32(options.get(OPTION.serverId)),
    unicast,
    leaseMs: lease === undefined ? undefined : lease * 1000,
  }
}

function addressOf({ ciaddr, options }: DhcpPacket): ReturnType<typeof numberToIpv4> | undefined {
  const ip = ciaddr || readU32(options.get(OPTION.requestedIp))
  return ip ? numberToIpv4(ip) : undefined
}

const NOTHING = new Uint8Array()
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Option 12's first label in lower case; undefined when it is no host name (RFC 1123 §2.1): it goes into DNS and screens. */
export function hostnameOf(packet: DhcpPacket): string | undefined {
  const value = packet.options.get(OPTION.hostName)
  if (value === undefined) return undefined
  const label = readText(value).toLowerCase().split('.')[0] ?? ''
  return LABEL.test(label) ? label : undefined
}
