import type { MessageType } from '@bridgehead/shared/wire/dhcp.ts'

/** A client's message, as far as the decision needs it. Addresses are numbers. */
export interface Ask {
  type: MessageType
  /** 0: it has no address, or does not trust it. */
  ciaddr: number
  /** Option 50. */
  requested?: number | undefined
  /** Option 54. */
  server?: number | undefined
  /** Sent to our own address: a renewal; a broadcast is a rebinding (RFC 2131 §4.3.2). */
  unicast: boolean
  /** Option 51. */
  leaseMs?: number | undefined
}

/**
 * How an address stands towards one machine: it holds it; nobody does and the pool (or its reservation) has it for this machine;
 * somebody else does; it lies in the subnet but is nobody's to give; it lies in another network.
 */
export type Standing = 'own' | 'free' | 'taken' | 'unusable' | 'elsewhere'

/** What the lease book says about this machine, read by the caller. */
export interface Situation {
  /** Its lease; `past` when it ran out or was released and nobody got the address since, or when it lies outside today's ranges. */
  held?: { ip: number; past: boolean; standing: Standing } | undefined
  /** An offer that still stands. */
  offered?: number | undefined
  /** The operator's reservation in this LAN. */
  reserved?: { ip: number; standing: Standing } | undefined
  /** Standing of the address it names: `ciaddr`, else option 50. */
  named?: Standing | undefined
  /** The pool's next address. Read for a discover only. */
  fresh?: number | undefined
}

export interface Policy {
  /** Our address on this LAN. */
  server: number
  leaseMs: number
  /** False while another server is known on the LAN: then a client of another network is its, or nobody's, business. */
  authoritative: boolean
}

/** `change` is what the caller stores before it sends `reply`. */
export interface Decision {
  reply: 'offer' | 'ack' | 'nak' | 'none'
  change: 'none' | 'offer' | 'unoffer' | 'bind' | 'release' | 'decline'
  ip?: number
  leaseMs?: number
  why: string
}

const MIN_LEASE_MS = 60_000

/** What RFC 2131 §4.3 answers. Pure: the caller reads the book and the clock, stores `change`, then sends `reply`. */
export function decide(ask: Ask, situation: Situation, policy: Policy): Decision {
  switch (ask.type) {
    case 'discover':
      return discover(ask, situation, policy)
    case 'request':
      if (ask.server !== undefined) return selecting(ask, ask.server, situation, policy)
      if (ask.ciaddr !== 0) return extending(ask, situation, policy)
      if (ask.requested !== undefined) return rebooting(ask.requested, ask, situation, policy)
      return none('names no address')
    case 'decline':
      return decline(ask, situation, policy)
    case 'release':
      if (ask.server !== undefined && ask.server !== policy.server) return none('released towards another server')
      if (situation.named !== 'own') return none('releases what it does not hold')
      return { reply: 'none', change: 'release', ip: ask.ciaddr, why: 'released' }
    case 'inform': // §4.3.5: no lease, no yiaddr
      if (situation.named === undefined || situation.named === 'elsewhere') return none('informs from another network')
      return { reply: 'ack', change: 'none', why: 'has an address, wants the rest' }
    default:
      return none(`a server's message (${ask.type})`)
  }
}

/** §4.3.1: what it has a reservation for, has, had, or wishes; then the pool. */
function discover(ask: Ask, { held, offered, reserved, named, fresh }: Situation, policy: Policy): Decision {
  const leaseMs = leaseFor(ask, policy)
  const offer = (ip: number, why: string): Decision => ({ reply: 'offer', change: 'offer', ip, leaseMs, why })
  if (reserved && mine(reserved.standing)) return offer(reserved.ip, 'has a reservation')
  if (held && !held.past && held.standing === 'own') return { ...offer(held.ip, 'holds it'), change: 'none' } // a lease outlives a second thought
  if (offered !== undefined) return offer(offered, 'was offered it')
  if (held && held.standing === 'free') return offer(held.ip, 'had it before')
  if (named === 'free' && ask.requested !== undefined) return offer(ask.requested, 'asked for it')
  if (fresh !== undefined) return offer(fresh, reserved ? 'its reservation is held by another machine; from the pool' : 'from the pool')
  return none('the pool is full')
}

/** §4.3.2, SELECTING: it answers an offer. */
function selecting(ask: Ask, server: number, { offered, reserved, named }: Situation, policy: Policy): Decision {
  if (server !== policy.server) return { reply: 'none', change: offered === undefined ? 'none' : 'unoffer', why: 'chose another server' }
  const ip = ask.requested ?? ask.ciaddr
  if (ip === 0) return none('names no address')
  // Offers live in memory: after a restart an address that is still free is as good as offered.
  if (ip === offered || mine(named)) return bind(ip, ask, policy, reserved?.ip === ip ? 'has a reservation' : 'took the offer')
  return nak(named === 'taken' ? 'another machine holds that address' : 'that address is not to be had here')
}

/** §4.3.2, INIT-REBOOT: it remembers an address. Who we do not know gets silence, so that the server that knows it may answer. */
function rebooting(ip: number, ask: Ask, { held, reserved, named }: Situation, policy: Policy): Decision {
  if (named === 'elsewhere') return policy.authoritative ? nak('is of another network') : none('is of another network')
  if (reserved && mine(reserved.standing) && reserved.ip !== ip) return nak('has a reservation for another address')
  if (reserved?.ip === ip && mine(reserved.standing)) return bind(ip, ask, policy, 'has a reservation')
  if (held === undefined) return none('unknown here')
  if (held.ip !== ip) return held.past && named !== 'taken' ? none('unknown here') : nak('holds another address')
  return mine(named) ? bind(ip, ask, policy, 'holds it') : nak('another machine holds that address')
}

/** §4.3.2, RENEWING (unicast) and REBINDING (broadcast). */
function extending(ask: Ask, { held, reserved, named }: Situation, policy: Policy): Decision {
  const ip = ask.ciaddr
  if (named === 'elsewhere') return policy.authoritative ? nak('is of another network') : none('is of another network')
  if (reserved && mine(reserved.standing) && reserved.ip !== ip) return nak('has a reservation for another address')
  if (named === 'own') return bind(ip, ask, policy, 'renewed')
  if (named === 'taken') return nak('another machine holds that address')
  // It asks us alone, so it had the address from us: from this appliance before it lost its memory, or from its predecessor.
  if (named === 'free' && (ask.unicast || held?.ip === ip || reserved?.ip === ip))
    return bind(ip, ask, policy, 'renewed what we had forgotten')
  return ask.unicast ? nak('that address is not to be had here') : none('unknown here')
}

function decline(ask: Ask, { offered, named }: Situation, policy: Policy): Decision {
  if (ask.server !== undefined && ask.server !== policy.server) return none('declined towards another server')
  if (ask.requested === undefined) return none('names no address')
  if (named !== 'own' && offered !== ask.requested) return none('declines what it does not hold')
  return { reply: 'none', change: 'decline', ip: ask.requested, why: 'somebody else uses that address' }
}

const mine = (standing: Standing | undefined) => standing === 'own' || standing === 'free'
const none = (why: string): Decision => ({ reply: 'none', change: 'none', why })
const nak = (why: string): Decision => ({ reply: 'nak', change: 'none', why })
const bind = (ip: number, ask: Ask, policy: Policy, why: string): Decision => ({
  reply: 'ack',
  change: 'bind',
  ip,
  leaseMs: leaseFor(ask, policy),
  why,
})

/** A client may have less than the LAN's lease time, never more (§4.3.1). */
function leaseFor(ask: Ask, policy: Policy): number {
  return ask.leaseMs === undefined ? policy.leaseMs : Math.min(policy.leaseMs, Math.max(MIN_LEASE_MS, ask.leaseMs))
}
