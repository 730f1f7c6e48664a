import type { RemoteInfo } from 'node:dgram'
import { ipv4ToNumber, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import { type DhcpPacket, decodeDhcp, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { macOf } from '@bridgehead/shared/wire/dhcp-boot.ts'
import { OPTION, readU32 } from '@bridgehead/shared/wire/dhcp-options.ts'
import { WireError } from '@bridgehead/shared/wire/errors.ts'
import { type Arrival, arrivalOf, bootItemOf, bootServer, type Outgoing, proxy, type Served, serve, tellFull } from './answer.ts'
import { type Context, isOpen, lanKey, pxeKey, type Segment } from './context.ts'
import type { ForeignWatch } from './foreign.ts'

/** The socket that a datagram came in by. `segment` for those bound to a LAN's own address. */
export interface Door {
  kind: 'dhcp' | 'pxe' | 'client'
  segment?: Segment | undefined
}

/** From bytes to an answer: decodes, finds the LAN, has it decided, sends. Whatever is wrong with a datagram is counted, never thrown. */
export function createIntake(context: Context, foreign: ForeignWatch): (bytes: Uint8Array, from: RemoteInfo, door: Door) => void {
  const { deps, count, write } = context
  const { log, boot, ports } = deps
  const batches = new Map<Segment, Arrival[]>()

  /** Returns the counter's name when the message goes no further. */
  function admit(packet: DhcpPacket, from: RemoteInfo, door: Door): string | undefined {
    if (packet.op === 2) {
      foreign.hear(packet, from)
      return undefined
    }
    if (door.kind === 'client') return 'dropped.not-a-reply'
    if (context.segments.some(({ gate }) => gate?.probes(packet.xid))) return 'own-probe'
    const type = messageType(packet)
    if (type === undefined) return 'dropped.bootp'
    const mac = macOf(packet)
    if (mac === undefined) return 'dropped.hardware'
    const arrival = arrivalOf(packet, type, mac, door.segment !== undefined)
    if (door.kind === 'pxe') {
      if (door.segment) answerBootServer(door.segment, arrival, bootItemOf(packet), from)
      return undefined
    }
    const candidates = segmentsFor(packet, from, door.segment)
    for (const candidate of candidates) answer(candidate, arrival)
    if (candidates.length > 0) return undefined
    return packet.giaddr === 0 ? 'dropped.no-lan' : 'dropped.unknown-relay'
  }

  /**
   * Which LAN a message belongs to. Node cannot tell the interface it came in by; but a reply leaves by the interface of its LAN's
   * address, so that where several LANs are possible each may answer: the client hears only its own.
   */
  function segmentsFor(packet: DhcpPacket, from: RemoteInfo, own: Segment | undefined): readonly Segment[] {
    const { segments } = context
    const containing = (ip: number) => segments.filter(({ first, last }) => ip >= first && ip <= last)
    if (packet.giaddr !== 0) return containing(packet.giaddr)
    if (own !== undefined) return [own]
    if (segments.length === 1) return segments
    const server = readU32(packet.options.get(OPTION.serverId))
    const chosen = segments.filter(({ facts }) => facts.server === server)
    if (chosen.length > 0) return chosen
    for (const ip of [packet.ciaddr, ipv4ToNumber(from.address)]) {
      const found = ip === 0 ? [] : containing(ip)
      if (found.length > 0) return found
    }
    return segments
  }

  function answer(segment: Segment, arrival: Arrival): void {
    const { packet, type, client } = arrival
    const server = readU32(packet.options.get(OPTION.serverId))
    if (type === 'request' && server !== undefined && server !== segment.facts.server) foreign.sighted(segment, server)
    if (isOpen(segment)) answerServe(segment, arrival)
    else {
      if (packet.giaddr === 0) foreign.listen(segment, packet)
      if (segment.lan.mode === 'proxy' && client) answerProxy(segment, arrival)
      else if (client && (type === 'discover' || type === 'request')) write(segment, () => boot.saw(client, segment.lan, type))
      count(`silent.${segment.gate?.state ?? segment.lan.mode}`)
    }
  }

  function answerServe(segment: Segment, arrival: Arrival): void {
    // An offer promises nothing that must outlive us; everything else is on disk before it is said.
    if (arrival.type === 'discover' && arrival.client === undefined) conclude(segment, arrival, serve(segment, arrival, deps))
    // Boot clients make other rooms write too: each in a task of its own, so that a fault there takes nothing else back.
    else if (arrival.client)
      write(
        segment,
        () => serve(segment, arrival, deps),
        (served) => conclude(segment, arrival, served),
      )
    else {
      const batch = batches.get(segment)
      if (batch) batch.push(arrival)
      else {
        batches.set(segment, [arrival])
        setImmediate(() => answerBatch(segment))
      }
    }
  }

  /** Ordinary clients that came in one turn share one task: at full load its overhead is a fifth of the work. */
  function answerBatch(segment: Segment): void {
    const batch = batches.get(segment) ?? []
    batches.delete(segment)
    const answerAll = () => batch.map((arrival): [Arrival, Served] => [arrival, serve(segment, arrival, deps)])
    const concludeAll = (all: [Arrival, Served][]) => {
      for (const [arrival, served] of all) conclude(segment, arrival, served)
    }
    write(segment, answerAll, concludeAll, true)
  }

  function conclude(segment: Segment, arrival: Arrival, { outgoing, reply, why, full }: Served): void {
    count(reply === 'none' ? `silent.${why}` : reply)
    log.debug('dhcp.answer', { lan: segment.lan.name, mac: arrival.mac, asked: arrival.type, reply, why })
    if (outgoing) send(segment, outgoing)
    if (full) write(segment, () => tellFull(segment, arrival.mac, deps))
  }

  function answerProxy(segment: Segment, arrival: Arrival): void {
    write(
      segment,
      () => proxy(segment, arrival, deps),
      (outgoing) => {
        if (!outgoing) return
        count('proxy-offer')
        send(segment, outgoing)
      },
    )
  }

  function answerBootServer(segment: Segment, arrival: Arrival, item: Uint8Array | undefined, from: RemoteInfo): void {
    write(
      segment,
      () => bootServer(segment, arrival, item, deps),
      (bytes) => {
        if (!bytes) return
        count('boot-server-ack')
        context.transmit(pxeKey(segment.lan), bytes, from.port, from.address)
      },
    )
  }

  function send({ lan }: Segment, { bytes, ip, to }: Outgoing): void {
    context.transmit(lanKey(lan), bytes, to === 'relay' ? ports.dhcp : ports.dhcp + 1, numberToIpv4(ip))
  }

  return (bytes, from, door) => {
    count('received')
    try {
      const counter = admit(decodeDhcp(bytes), from, door)
      if (counter !== undefined) count(counter)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      count('malformed')
      log.debug('dhcp.malformed', { from: from.address, why: error.message })
    }
  }
}
