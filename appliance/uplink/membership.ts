import { createHash } from 'node:crypto'
import { EnrolAnswer } from '@bridgehead/shared/model/enrolment.ts'
import { z } from 'zod'
import type { Db, Store } from '../store/store.ts'

const KEY = 'membership'
const ADOPTION = 'adoption'

/** What the manager said at enrolment, as this box keeps it; `tokenHash` tells the spent token from a new one, and is absent after a claim. */
export const Membership = z.object({ ...EnrolAnswer.omit({ leases: true }).shape, tokenHash: z.string().optional() })
export type Membership = z.infer<typeof Membership>

/**
 * What a box is that was given its site by an offline bundle: it knows whose signatures count, and no way to the manager. It may still
 * enrol later, into the same site.
 */
const Adoption = EnrolAnswer.pick({ site: true, name: true, managerKeys: true })
export type Adoption = z.infer<typeof Adoption>

/** The enrolment, or undefined for a box that has none. */
export function readMembership({ db }: Pick<Store, 'db'>): Membership | undefined {
  const value = read(db, KEY)
  return value === undefined ? undefined : Membership.parse(JSON.parse(value))
}

/** The site that this box belongs to, by enrolment or by a bundle; undefined for a box that belongs to nobody yet. */
export function readSite({ db }: Pick<Store, 'db'>): Adoption | undefined {
  const adopted = read(db, ADOPTION)
  return readMembership({ db }) ?? (adopted === undefined ? undefined : Adoption.parse(JSON.parse(adopted)))
}

/** Keeps it, in one write with what `also` does; on disk once the promise resolves. */
export function writeMembership(store: Store, membership: Membership, also?: (db: Db) => void): Promise<void> {
  return write(store, KEY, membership, also)
}

/** The same. */
export function writeAdoption(store: Store, { site, name, managerKeys }: Adoption): Promise<void> {
  return write(store, ADOPTION, { site, name, managerKeys })
}

function read(db: Db, key: string): string | undefined {
  return db.prepare<[string], { value: string }>('SELECT value FROM kv WHERE key = ?').get(key)?.value
}

function write(store: Store, key: string, value: object, also?: (db: Db) => void): Promise<void> {
  return store.write((db) => {
    also?.(db)
    db.prepare('INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(key, JSON.stringify(value))
  })
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
