import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import type { Promised } from './witness.ts'

/** What the appliance's SQLite holds. */
export interface StoreFacts {
  leases: ReadonlyMap<string, { ip: string; until: number }>
  events: ReadonlySet<string>
  member: string | undefined
}

const Check = z.array(z.object({ integrity_check: z.string() }))
const Leases = z.array(z.object({ mac: z.string(), ip: z.string(), until: z.number() }))
const Events = z.array(z.object({ id: z.string() }))
const Member = z.object({ value: z.string() }).optional()
const Site = z.looseObject({ site: z.string() })

/** Opens a copy of the store (and of its log, which SQLite replays). Throws when SQLite finds a mistake in it. */
export function readStore(path: string): StoreFacts {
  const db = new DatabaseSync(path)
  try {
    const wrong = Check.parse(db.prepare('PRAGMA integrity_check').all()).filter((row) => row.integrity_check !== 'ok')
    if (wrong.length > 0) throw new Error(`integrity_check: ${wrong.map((row) => row.integrity_check).join('; ')}`)
    if (db.prepare('PRAGMA foreign_key_check').all().length > 0) throw new Error('foreign_key_check: rows without their other half')
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE name IN ('leases', 'outbox', 'kv')").all()
    if (tables.length < 3) return { leases: new Map(), events: new Set(), member: undefined } // the first migration was not on disk yet
    const leases = Leases.parse(db.prepare("SELECT mac, ip, until FROM leases WHERE state = 'bound'").all())
    const member = Member.parse(db.prepare("SELECT value FROM kv WHERE key = 'membership'").get())
    return {
      leases: new Map(leases.map(({ mac, ip, until }) => [mac, { ip, until }])),
      events: new Set(Events.parse(db.prepare('SELECT id FROM outbox').all()).map(({ id }) => id)),
      member: member && Site.parse(JSON.parse(member.value)).site,
    }
  } finally {
    db.close()
  }
}

/** A promised lease may end this much earlier in the store: the two clocks are not the same, nor was it heard in the moment it was sent. */
const CLOCKS_MS = 5_000

/** One sentence for each promise about the store that it does not keep. */
export function broken(promises: readonly Promised[], store: StoreFacts | undefined): string[] {
  const newest = new Map(promises.flatMap((one) => (one.kind === 'lease' ? [[one.mac, one] as const] : [])))
  return promises.flatMap((one) => {
    switch (one.kind) {
      case 'lease': {
        if (newest.get(one.mac) !== one) return []
        const kept = store?.leases.get(one.mac)
        if (!kept) return [`the lease of ${one.mac} is gone`]
        if (kept.ip !== one.ip) return [`${one.mac} was given ${one.ip}, and ${kept.ip} is written`]
        const early = one.until - kept.until
        return early > CLOCKS_MS ? [`the lease of ${one.mac} ends ${early} ms before it was promised to`] : []
      }
      case 'event':
        return store?.events.has(one.id) ? [] : [`the fact ${one.id} is unknown, and the manager has it`]
      case 'member':
        return store?.member === one.site ? [] : [`the membership of site ${one.site} is gone`]
      default:
        return []
    }
  })
}
