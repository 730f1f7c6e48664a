import type { RemoteInfo } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { type Ipv4, ipv4ToNumber, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import { type DhcpPacket, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { OPTION, readU32 } from '@bridgehead/shared/wire/dhcp-options.ts'
import { type Context, isOpen, lanKey, type Segment } from './context.ts'
import { createGate, type Gate } from './gate.ts'
import { isNews, learn, lessonOf } from './observe.ts'
import { encodeProbe } from './probe.ts'

/** Other DHCP servers: noticing them, telling of them, learning from what is said around them. */
export interface ForeignWatch {
  /** A server's message: broadcast, or the answer to a probe sent as a relay. */
  hear(packet: DhcpPacket, from: RemoteInfo): void
  /** A client named this server. */
  sighted(segment: Segment, server: number): void
  /** Learns what a broadcast says about a lease that is not ours. */
  listen(segment: Segment, packet: DhcpPacket): void
  /** Starts asking whether the LAN may be served. */
  openGate(segment: Segment): void
}

/** Served that recently before a restart: no need to listen before answering again. */
const RECENT_MS = 10 * 60_000
const TELL_AGAIN_MS = 60 * 60_000
const PROBE_MS = 5000 // dnsmasq offers 3 s after it was asked

export function createForeignWatch(context: Context): ForeignWatch {
  const { deps, write, count } = context
  const { clock, log, outbox, store, ports } = deps
  const servedAt = store.db.prepare<[string], { value: string }>('SELECT value FROM kv WHERE key = ?')
  const keepServed = store.db.prepare('INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
  const isOurs = (server: number) => context.segments.some(({ facts }) => facts.server === server)

  const tell = (segment: Segment, server: number, blocked: boolean) => {
    const now = clock.now()
    const known = segment.foreign.get(server)
    if (known) known.heard = now
    if (known && known.blocked === blocked && now - known.told < TELL_AGAIN_MS) return
    segment.foreign.set(server, { heard: now, told: now, blocked })
    const fact = { lan: segment.lan.name, server: numberToIpv4(server), blocked }
    if (segment.lan.mode === 'serve') log.warn('dhcp.foreign-server', fact)
    else log.info('dhcp.foreign-server', fact)
    write(segment, () => outbox.add('dhcp.foreign-server', fact))
  }

  const sendProbe = (lan: Lan, xid: number) => {
    const mac = macOfInterface(lan.address)
    for (const giaddr of [0, ipv4ToNumber(lan.address)])
      context.transmit(lanKey(lan), encodeProbe({ xid, mac, giaddr }), ports.dhcp, '255.255.255.255')
  }

  const gateFor = (segment: Segment): Gate =>
    createGate({
      clock,
      random: deps.random ?? Math.random,
      probeMs: deps.probeMs ?? PROBE_MS,
      sendProbe: (xid) => sendProbe(segment.lan, xid),
      found: (server, blocked) => tell(segment, server, blocked),
      opened(again) {
        if (!again) log.info('dhcp.serving', { lan: segment.lan.name, address: segment.lan.address })
        write(segment, () => keepServed.run(servedKey(segment.lan), String(clock.now())))
      },
    })

  const watch: ForeignWatch = {
    hear(packet, from) {
      const server = readU32(packet.options.get(OPTION.serverId)) ?? ipv4ToNumber(from.address)
      if (isOurs(server)) return
      const probed = context.segments.find(({ gate }) => gate?.probes(packet.xid))
      const segment = probed ?? context.segments.find(({ first, last }) => server >= first && server <= last)
      if (segment === undefined) {
        count('dropped.foreign-elsewhere')
        for (const { gate } of context.segments) gate?.suspect() // the answer to a probe names the LAN
        return
      }
      const type = messageType(packet)
      const proxied = packet.yiaddr === 0 && type === 'offer' // a proxyDHCP server hands out no addresses
      if (type !== undefined && !proxied) watch.sighted(segment, server)
      if (probed === undefined && !isOpen(segment)) watch.listen(segment, packet)
    },
    sighted(segment, server) {
      if (isOurs(server)) return
      if (segment.gate) segment.gate.heard(server)
      else tell(segment, server, false)
    },
    listen(segment, packet) {
      const lesson = lessonOf(packet)
      if (lesson && isNews(segment, lesson, clock.now())) write(segment, () => learn(segment, lesson, deps))
    },
    openGate(segment) {
      segment.gate = gateFor(segment)
      const last = Number(servedAt.get(servedKey(segment.lan))?.value ?? 0)
      segment.gate.start(Math.abs(clock.now() - last) < RECENT_MS)
    },
  }
  return watch
}

const servedKey = (lan: Lan) => `dhcp.served.${lan.name}.${lan.subnet}`

/** The hardware address of the interface that carries `address`; zeros when there is none. */
function macOfInterface(address: Ipv4): string {
  for (const addresses of Object.values(networkInterfaces())) for (const one of addresses ?? []) if (one.address === address) return one.mac
  return '00:00:00:00:00:00'
}
