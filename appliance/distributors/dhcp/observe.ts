import { type Mac, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import { type DhcpPacket, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { hex, macOf } from '@bridgehead/shared/wire/dhcp-boot.ts'
import { OPTION, readU32 } from '@bridgehead/shared/wire/dhcp-options.ts'
import { hostnameOf } from './answer.ts'
import type { Segment } from './context.ts'
import type { DhcpDeps } from './deps.ts'

/** What a broadcast taught about another server's lease. */
export type Lesson =
  | { kind: 'holds'; mac: Mac; ip: number; client: string; hostname: string | undefined; leaseMs: number | undefined }
  | { kind: 'lost'; mac: Mac; ip: number }

/** A request alone proves little: its lease counts for this long. Renewals go by unicast, past us, so that it must not be short. */
const ASSUMED_MS = 12 * 60 * 60_000
/** A lease that is known well enough is not written again: an SD card wears. */
const WRITE_AGAIN_MS = 60 * 60_000

/** From a client's request or a server's reply; undefined when it teaches nothing. Pure. */
export function lessonOf(packet: DhcpPacket): Lesson | undefined {
  const mac = macOf(packet)
  if (mac === undefined) return undefined
  const { options, ciaddr, yiaddr } = packet
  const requested = readU32(options.get(OPTION.requestedIp)) ?? 0
  const holds = (ip: number): Lesson | undefined => {
    if (ip === 0) return undefined
    const seconds = packet.op === 2 ? readU32(options.get(OPTION.leaseTime)) : undefined
    const client = options.get(OPTION.clientId)
    return {
      kind: 'holds',
      mac,
      ip,
      client: client === undefined ? '' : hex(client),
      hostname: hostnameOf(packet),
      leaseMs: seconds === undefined ? undefined : seconds * 1000,
    }
  }
  switch (messageType(packet)) {
    case 'request':
      return holds(ciaddr || requested)
    case 'ack':
      return holds(yiaddr)
    case 'decline':
      return { kind: 'lost', mac, ip: requested }
    case 'nak':
      return { kind: 'lost', mac, ip: 0 }
    default:
      return undefined
  }
}

/** True when the lesson changes the book; then `learn` has something to write. */
export function isNews({ book, first, last }: Segment, lesson: Lesson, now: number): boolean {
  const known = book.leaseOf(lesson.mac)
  if (lesson.kind === 'lost') return known !== undefined && (lesson.ip === 0 || known.ip === lesson.ip)
  if (lesson.ip <= first || lesson.ip >= last) return false
  const until = now + (lesson.leaseMs ?? ASSUMED_MS)
  return (
    known?.ip !== lesson.ip || (lesson.hostname !== undefined && lesson.hostname !== known.hostname) || until - known.until > WRITE_AGAIN_MS
  )
}

/** Writes the lesson into the book, as a lease like ours: whoever takes over serving finds it there. Inside `store.write`. */
export function learn({ book, lan }: Segment, lesson: Lesson, { clock, outbox, log }: DhcpDeps): void {
  const known = book.leaseOf(lesson.mac)
  if (lesson.kind === 'lost') {
    if (known === undefined) return
    book.release(lesson.mac)
    outbox.add('dhcp.release', { mac: lesson.mac, ip: numberToIpv4(known.ip), lan: lan.name, why: 'released' })
    return
  }
  const { mac, ip, client } = lesson
  const hostname = lesson.hostname ?? (known?.ip === ip ? known.hostname : undefined) // ACKs rarely repeat it
  const until = clock.now() + (lesson.leaseMs ?? ASSUMED_MS)
  const { news } = book.bind({ ip, mac, client, hostname, until })
  if (!news) return
  outbox.add('dhcp.lease', { mac, ip: numberToIpv4(ip), lan: lan.name, until, ...(hostname === undefined ? {} : { hostname }) })
  log.info('dhcp.observed', { lan: lan.name, mac, ip: numberToIpv4(ip), hostname })
}
