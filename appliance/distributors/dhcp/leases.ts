import { bounds, type Ipv4, ipv4ToNumber, type Mac, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import type { Db } from '../../store/store.ts'
import { createAgenda } from './agenda.ts'
import type { Ask, Situation, Standing } from './decide.ts'
import { createPool } from './pool.ts'

/** One address that was promised to a machine, or that a machine found in use (`declined`). Void once `until` (epoch ms) has passed. */
export interface Lease {
  ip: number
  mac: Mac
  /** Option 61 as hexadecimal digits, empty when it sent none. For people: the MAC is the key. */
  client: string
  hostname: string | undefined
  state: 'offered' | 'bound' | 'declined'
  until: number
}

export interface BootReservations {
  reservation(mac: Mac): Ipv4 | undefined
  reserved(ip: Ipv4): boolean
}

/**
 * Who holds what on one LAN: in memory for reading, in SQLite for keeping. Whatever changes a row (`bind`, `release`, `decline`,
 * `expire`) is called inside `store.write`. Offers live in memory alone: RFC 2131 §3.1 lets a server forget them.
 */
export interface LeaseBook {
  situation(mac: Mac, ask: Ask): Situation
  leaseOf(mac: Mac): Lease | undefined
  all(): Lease[]
  counts(): { size: number; free: number }
  offer(mac: Mac, ip: number, until: number): void
  unoffer(mac: Mac): void
  /** `left` is the address that the machine held before, when it is another one. `news` when the binding is new or changed. */
  bind(lease: Omit<Lease, 'state'>): { news: boolean; left?: number | undefined }
  release(mac: Mac): void
  decline(mac: Mac, ip: number, until: number): void
  /** Ends what has run out by `now` and returns the leases among it. */
  expire(now: number): Lease[]
  /** Lengthens every promise: the clock was put forward, and the machines did not notice. */
  postpone(ms: number): void
  /** Reservations may have changed. */
  review(): void
  /** Believes the disk again, after a commit failed. */
  reload(): void
}

interface Row {
  ip: string
  client: string
  mac: string
  hostname: string | null
  state: 'bound' | 'declined'
  until: number
}

export function createLeaseBook(db: Db, lan: Lan, reservations: BootReservations): LeaseBook {
  const put = db.prepare<[string, string, string, string, string | null, string, number]>(
    `INSERT INTO leases (lan, ip, client, mac, hostname, state, until) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (lan, ip) DO UPDATE SET client = excluded.client, mac = excluded.mac, hostname = excluded.hostname,
       state = excluded.state, until = excluded.until`,
  )
  const remove = db.prepare<[string, string]>('DELETE FROM leases WHERE lan = ? AND ip = ?')
  const read = db.prepare<[string], Row>('SELECT ip, client, mac, hostname, state, until FROM leases WHERE lan = ? ORDER BY until')
  const shift = db.prepare<[number, string]>('UPDATE leases SET until = until + ? WHERE lan = ?')

  const { first, last } = bounds(lan.subnet)
  const excluded = [lan.address, ...(lan.router ? [lan.router] : []), ...(lan.dns ?? [])].map(ipv4ToNumber)
  const spans = lan.ranges.map(({ from, to }) => ({ from: ipv4ToNumber(from), to: ipv4ToNumber(to) }))
  const inside = (ip: number) => ip > first && ip < last && !excluded.includes(ip)

  let pool = createPool(spans, excluded)
  let agenda = createAgenda()
  const byIp = new Map<number, Lease>()
  const bound = new Map<Mac, Lease>()
  const offers = new Map<Mac, Lease>()
  /** What a machine had last, as long as nobody else got it. */
  const past = new Map<Mac, number>()
  const pastOf = new Map<number, Mac>()

  const hold = (lease: Lease) => {
    const holder = byIp.get(lease.ip)
    if (holder !== undefined && holder.mac !== lease.mac) {
      // only an observed server does that: to us, an address of another machine is taken
      if (bound.get(holder.mac) === holder) bound.delete(holder.mac)
      if (offers.get(holder.mac) === holder) offers.delete(holder.mac)
    }
    byIp.set(lease.ip, lease)
    pool.take(lease.ip)
    agenda.add(lease.ip, lease.until)
    const before = pastOf.get(lease.ip)
    if (before !== undefined) {
      pastOf.delete(lease.ip)
      past.delete(before)
    }
  }
  const free = (ip: number) => {
    byIp.delete(ip)
    pool.give(ip)
  }
  const remember = (mac: Mac, ip: number) => {
    const before = past.get(mac)
    if (before !== undefined) pastOf.delete(before)
    past.set(mac, ip)
    pastOf.set(ip, mac)
  }
  const unoffer = (mac: Mac) => {
    const offer = offers.get(mac)
    if (offer === undefined) return
    offers.delete(mac)
    free(offer.ip)
  }
  /** The machine keeps no lease; the address is free, and remembered for it. */
  const leave = (lease: Lease) => {
    remove.run(lan.name, numberToIpv4(lease.ip))
    bound.delete(lease.mac)
    free(lease.ip)
    remember(lease.mac, lease.ip)
  }
  const write = (lease: Lease) =>
    put.run(lan.name, numberToIpv4(lease.ip), lease.client, lease.mac, lease.hostname ?? null, lease.state, lease.until)

  const standing = (mac: Mac, ip: number, reserved: number | undefined): Standing => {
    if (ip < first || ip > last) return 'elsewhere'
    if (!inside(ip)) return 'unusable'
    const lease = byIp.get(ip)
    if (lease !== undefined) {
      if (lease.mac !== mac || lease.state === 'declined') return 'taken'
      return lease.state === 'bound' ? 'own' : 'free'
    }
    if (ip === reserved) return 'free'
    if (!pool.includes(ip)) return 'unusable'
    return reservations.reserved(numberToIpv4(ip)) ? 'taken' : 'free'
  }
  const avoid = (ip: number) => reservations.reserved(numberToIpv4(ip))

  const book: LeaseBook = {
    situation(mac, ask) {
      const wish = reservations.reservation(mac)
      const number = wish === undefined ? undefined : ipv4ToNumber(wish)
      const reserved = number !== undefined && number >= first && number <= last ? number : undefined
      const lease = bound.get(mac)
      const had = lease?.ip ?? past.get(mac)
      // A lease outside today's ranges lasts while the machine renews it; a machine that starts anew moves into them.
      const held = had === undefined ? undefined : { ip: had, past: lease === undefined || !(pool.includes(had) || had === reserved) }
      const offered = offers.get(mac)?.ip
      const named = ask.ciaddr || ask.requested
      return {
        held: held && { ...held, standing: standing(mac, held.ip, reserved) },
        offered,
        reserved: reserved === undefined ? undefined : { ip: reserved, standing: standing(mac, reserved, reserved) },
        named: named === undefined ? undefined : standing(mac, named, reserved),
        fresh: ask.type === 'discover' && (held === undefined || held.past) && offered === undefined ? pool.next(avoid) : undefined,
      }
    },
    leaseOf: (mac) => bound.get(mac),
    all: () => [...byIp.values()].sort((a, b) => a.ip - b.ip),
    counts: () => ({ size: pool.size, free: pool.free }),
    offer(mac, ip, until) {
      const before = offers.get(mac)
      if (before !== undefined && before.ip !== ip) unoffer(mac)
      const lease: Lease = { ip, mac, client: '', hostname: undefined, state: 'offered', until }
      offers.set(mac, lease)
      hold(lease)
    },
    unoffer,
    bind(next) {
      const lease: Lease = { ...next, state: 'bound' }
      const before = bound.get(lease.mac)
      write(lease)
      const left = before !== undefined && before.ip !== lease.ip ? before.ip : undefined
      if (before !== undefined && left !== undefined) leave(before)
      const offer = offers.get(lease.mac)
      offers.delete(lease.mac)
      if (offer !== undefined && offer.ip !== lease.ip) free(offer.ip)
      bound.set(lease.mac, lease)
      hold(lease)
      return { news: before === undefined || left !== undefined || before.hostname !== lease.hostname, left }
    },
    release(mac) {
      const lease = bound.get(mac)
      if (lease !== undefined) leave(lease)
    },
    decline(mac, ip, until) {
      const lease: Lease = { ip, mac, client: '', hostname: undefined, state: 'declined', until }
      write(lease)
      if (bound.get(mac)?.ip === ip) bound.delete(mac)
      if (offers.get(mac)?.ip === ip) offers.delete(mac)
      hold(lease)
    },
    expire(now) {
      const ended: Lease[] = []
      for (const ip of agenda.due(now)) {
        const lease = byIp.get(ip)
        if (lease === undefined) continue
        if (lease.until > now) agenda.add(ip, lease.until)
        else if (lease.state === 'offered') unoffer(lease.mac)
        else if (lease.state === 'bound') {
          leave(lease)
          ended.push(lease)
        } else {
          remove.run(lan.name, numberToIpv4(ip))
          free(ip)
        }
      }
      return ended
    },
    postpone(ms) {
      shift.run(ms, lan.name)
      for (const lease of byIp.values()) lease.until += ms
    },
    review: () => pool.review(),
    reload() {
      pool = createPool(spans, excluded)
      agenda = createAgenda()
      for (const map of [byIp, bound, offers, past, pastOf]) map.clear()
      for (const row of read.iterate(lan.name)) {
        const lease: Lease = { ...row, ip: ipv4ToNumber(row.ip), mac: row.mac as Mac, hostname: row.hostname ?? undefined }
        if (lease.state === 'bound') {
          const before = bound.get(lease.mac) // two rows of one machine: the later one counts (rows come by `until`)
          if (before !== undefined) free(before.ip)
          bound.set(lease.mac, lease)
        }
        hold(lease)
      }
    },
  }
  book.reload()
  return book
}
