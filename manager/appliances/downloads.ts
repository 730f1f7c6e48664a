import type { Clock } from '@bridgehead/shared/clock.ts'

/** Keeps one leaked or looping link from taking the manager's whole line. */
export interface DownloadLimits {
  /** One more request of this ticket. `leave` when its body has ended; it is harmless twice. Otherwise: seconds to wait. */
  enter(ticket: string): { ok: true; leave: () => void } | { ok: false; seconds: number; why: string }
}

/** Download programs open up to 16 connections at a time. */
const AT_ONCE = 16
/** Requests, those for a part included. */
const PER_MINUTE = 600
const MINUTE_MS = 60_000

export function createDownloadLimits({ clock }: { clock: Clock }): DownloadLimits {
  const tickets = new Map<string, { since: number; requests: number; open: number }>()
  const forget = (now: number) => {
    for (const [id, { since, open }] of tickets) if (open === 0 && since <= now - MINUTE_MS) tickets.delete(id)
  }
  return {
    enter(ticket) {
      const now = clock.now()
      if (tickets.size > 1_000) forget(now)
      const entry = tickets.get(ticket) ?? { since: now, requests: 0, open: 0 }
      tickets.set(ticket, entry)
      if (entry.since <= now - MINUTE_MS) Object.assign(entry, { since: now, requests: 0 })
      if (entry.requests >= PER_MINUTE) {
        const seconds = Math.ceil((entry.since + MINUTE_MS - now) / 1000)
        return { ok: false, seconds, why: `more than ${PER_MINUTE} requests a minute` }
      }
      entry.requests += 1
      if (entry.open >= AT_ONCE) return { ok: false, seconds: 5, why: `more than ${AT_ONCE} at once` }
      entry.open += 1
      let left = false
      return {
        ok: true,
        leave() {
          if (!left) entry.open -= 1
          left = true
        },
      }
    },
  }
}
