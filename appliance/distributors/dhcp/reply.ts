import { bounds, broadcast, ipv4ToNumber, netmask } from '@bridgehead/shared/model/address.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import { BROADCAST_FLAG, type DhcpPacket, encodeDhcp } from '@bridgehead/shared/wire/dhcp.ts'
import { latin1, OPTION, readU16, u32 } from '@bridgehead/shared/wire/dhcp-options.ts'
import type { BootFields } from './boot-options.ts'

/** What every reply on one LAN says, prepared once. */
export interface LanFacts {
  readonly server: number
  readonly serverId: Uint8Array
  /** Mask, router, DNS and the like, in the order of their weight. */
  readonly network: readonly [number, Uint8Array][]
}

export function lanFacts(lan: Lan): LanFacts {
  const server = ipv4ToNumber(lan.address)
  const dns = lan.dns && lan.dns.length > 0 ? lan.dns : [lan.address]
  const network: [number, Uint8Array][] = [[OPTION.subnetMask, u32(ipv4ToNumber(netmask(bounds(lan.subnet).prefix)))]]
  if (lan.router) network.push([OPTION.router, u32(ipv4ToNumber(lan.router))])
  network.push([OPTION.dns, Uint8Array.from(dns.flatMap((ip) => [...u32(ipv4ToNumber(ip))]))])
  if (lan.domain) network.push([OPTION.domainName, latin1(lan.domain)])
  network.push([OPTION.broadcast, u32(ipv4ToNumber(broadcast(lan.subnet)))])
  return { server, serverId: u32(server), network }
}

const TYPE = { offer: 2, ack: 5, nak: 6 } as const

export interface Reply {
  type: keyof typeof TYPE
  /** 0 for a NAK, an INFORM's ACK and every proxy answer. */
  yiaddr: number
  /** Absent: no lease goes with it. */
  leaseMs?: number | undefined
  /** Absent: no network parameters either (NAK, proxy). */
  network?: readonly [number, Uint8Array][] | undefined
  boot?: BootFields | undefined
  /** For people who read a NAK (option 56). */
  message?: string | undefined
}

/** RFC 2131 §4.3.1, table 3. Options 61 (RFC 6842) and 82 (RFC 3046 §2.2) go back as they came. */
export function encodeReply(request: DhcpPacket, facts: LanFacts, reply: Reply): Uint8Array {
  const options = new Map<number, Uint8Array>()
  options.set(OPTION.messageType, Uint8Array.of(TYPE[reply.type]))
  options.set(OPTION.serverId, facts.serverId)
  for (const code of [OPTION.clientId, OPTION.relayAgent]) {
    const value = request.options.get(code)
    if (value !== undefined) options.set(code, value)
  }
  if (reply.leaseMs !== undefined) {
    const seconds = Math.floor(reply.leaseMs / 1000)
    options.set(OPTION.leaseTime, u32(seconds))
    options.set(OPTION.renewalTime, u32(Math.floor(seconds / 2)))
    options.set(OPTION.rebindingTime, u32(Math.floor((seconds * 7) / 8)))
  }
  for (const [code, value] of reply.network ?? []) options.set(code, value)
  for (const [code, value] of reply.boot?.options ?? []) options.set(code, value)
  if (reply.message !== undefined) options.set(OPTION.message, latin1(reply.message))
  const nak = reply.type === 'nak'
  return encodeDhcp(
    {
      op: 2,
      htype: request.htype,
      hops: 0,
      xid: request.xid,
      secs: 0,
      flags: nak && request.giaddr !== 0 ? request.flags | BROADCAST_FLAG : request.flags, // §4.3.2: so that the relay broadcasts it
      ciaddr: reply.type === 'ack' ? request.ciaddr : 0,
      yiaddr: reply.yiaddr,
      siaddr: reply.boot?.siaddr ?? 0,
      giaddr: request.giaddr,
      chaddr: request.chaddr,
      sname: '',
      file: reply.boot?.file ?? '',
      options,
    },
    maxBytes(request),
  )
}

export interface Destination {
  /** 0xffffffff: broadcast on the LAN. */
  ip: number
  to: 'client' | 'relay'
}

/**
 * RFC 2131 §4.1: a relay, else the address that the client has, else everybody. Clients without an address are told by broadcast even
 * when they could take a unicast: that needs an ARP entry which only a raw socket could do without.
 */
export function destination(request: DhcpPacket, type: Reply['type']): Destination {
  if (request.giaddr !== 0) return { ip: request.giaddr, to: 'relay' }
  if (type !== 'nak' && request.ciaddr !== 0) return { ip: request.ciaddr, to: 'client' }
  return { ip: 0xffffffff, to: 'client' }
}

/** Option 57 counts the IP datagram with its headers. UEFI says 65,280 (captures); more than an Ethernet frame never leaves here. */
function maxBytes(request: DhcpPacket): number {
  const datagram = readU16(request.options.get(OPTION.maxMessageSize)) ?? 576
  return Math.min(1472, Math.max(548, datagram - 28))
}
