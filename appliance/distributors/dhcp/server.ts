import { type Ipv4, type Mac, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { createContext, createSegment, lanKey, pxeKey, type Segment } from './context.ts'
import type { DhcpDeps } from './deps.ts'
import { createForeignWatch } from './foreign.ts'
import { createIntake, type Door } from './intake.ts'
import { createSockets, type Endpoint } from './sockets.ts'

/** One lease as the API and the screens show it. */
export interface LeaseView {
  ip: Ipv4
  mac: Mac
  client: string
  hostname: string | undefined
  state: 'offered' | 'bound' | 'declined'
  /** Epoch ms. */
  until: number
}

export interface DhcpServer extends Service {
  /**
   * Makes the server serve exactly these LANs from now on. Level-triggered: call it after every change of the state document, of
   * reservations too, before or after `start`, as often as you like.
   */
  apply(lans: readonly Lan[]): void
  /** Counts since the start: received, sent, malformed, `dropped.*`, `offer`, `ack`, `nak`, `silent.<why>`. */
  counters(): Record<string, number>
  /** The address that a machine holds, ours or observed, on any LAN. */
  leaseOf(mac: Mac): Ipv4 | undefined
  leases(lan: string): LeaseView[]
  /** Sockets that should be open and are not, as `address:port`. */
  closed(): string[]
}

const EXPIRE_MS = 10_000
/** A clock that jumps ahead more than this was set, not waited for. */
const JUMP_MS = 5 * 60_000

/** The DHCP distributor of the appliance: port 67 (serve, proxy, observe), port 4011 (proxy), and an ear on port 68 for other servers. */
export function createDhcpServer(deps: DhcpDeps): DhcpServer {
  const { outbox, clock, log, ports } = deps
  const sockets = createSockets({
    clock,
    log,
    failed(error) {
      context.count('dropped.send')
      log.debug('dhcp.send-failed', { error })
    },
  })
  let segments: Segment[] = []
  const context = createContext(deps, sockets, () => segments)
  const foreign = createForeignWatch(context)
  const receive = createIntake(context, foreign)
  let running = false
  let stopTicking = () => {}
  let settling: Promise<void> = Promise.resolve()

  function endpoints(): Map<string, Endpoint> {
    const wanted = new Map<string, Endpoint>()
    const listen = (key: string, address: string, port: number, door: () => Door) =>
      wanted.set(key, { address, port, receive: (bytes, from) => receive(bytes, from, door()) })
    if (segments.length === 0) return wanted
    listen('any', '0.0.0.0', ports.dhcp, () => ({ kind: 'dhcp' }))
    // Bound to the broadcast address: it hears what other servers broadcast and takes no unicast from a DHCP client of this machine.
    listen('ear', '255.255.255.255', ports.dhcp + 1, () => ({ kind: 'client' }))
    for (const { lan } of segments) {
      if (lan.mode === 'observe') continue
      const find = () => segments.find((segment) => segment.lan.name === lan.name)
      listen(lanKey(lan), lan.address, ports.dhcp, () => ({ kind: 'dhcp', segment: find() }))
      listen(pxeKey(lan), lan.address, ports.pxe, () => ({ kind: 'pxe', segment: find() }))
    }
    return wanted
  }

  function settle(): void {
    settling = settling.then(async () => {
      if (!running) return
      await sockets.set(endpoints())
      for (const segment of segments) if (running && segment.lan.mode === 'serve' && !segment.gate) foreign.openGate(segment)
    })
  }

  function tick(last: { now: number }): void {
    const now = clock.now()
    const jump = now - last.now - EXPIRE_MS
    last.now = now
    if (jump > JUMP_MS) log.warn('dhcp.clock-jumped', { ms: jump })
    for (const segment of segments)
      context.write(segment, () => {
        if (jump > JUMP_MS) return segment.book.postpone(jump)
        for (const { mac, ip } of segment.book.expire(now))
          outbox.add('dhcp.release', { mac, ip: numberToIpv4(ip), lan: segment.lan.name, why: 'expired' })
      })
  }

  return {
    name: 'dhcp',
    async start() {
      if (running) return
      running = true
      const last = { now: clock.now() }
      stopTicking = clock.every(EXPIRE_MS, () => tick(last))
      settle()
      await settling
    },
    async stop() {
      running = false
      stopTicking()
      await settling
      for (const segment of segments) {
        segment.gate?.stop()
        segment.gate = undefined
      }
      await sockets.close()
    },
    apply(lans) {
      const before = segments
      segments = lans.map((lan) => {
        const same = before.find((segment) => JSON.stringify(segment.lan) === JSON.stringify(lan))
        same?.book.review()
        return same ?? createSegment(lan, deps)
      })
      for (const segment of before) if (!segments.includes(segment)) segment.gate?.stop()
      settle()
    },
    counters: () => Object.fromEntries(context.counts),
    closed: sockets.closed,
    leaseOf(mac) {
      for (const { book } of segments) {
        const lease = book.leaseOf(mac)
        if (lease) return numberToIpv4(lease.ip)
      }
      return undefined
    },
    leases(lan) {
      const found = segments.find((segment) => segment.lan.name === lan)?.book.all() ?? []
      return found.map((lease) => ({ ...lease, ip: numberToIpv4(lease.ip) }))
    },
  }
}
