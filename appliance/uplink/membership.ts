import { createHash } from 'node:crypto'
import { EnrolAnswer } from '@bridgehead/shared/model/enrolment.ts'
import { z } from 'zod'
import type { Store } from '../store/store.ts'

const KEY = 'membership'

/** What the manager said at enrolment, as this box keeps it; `tokenHash` tells the spent token from a new one. */
export const Membership = z.object({ ...EnrolAnswer.shape, tokenHash: z.string() })
export type Membership = z.infer<typeof Membership>

/** The enrolment, or undefined for a box that belongs to nobody yet. */
export function readMembership({ db }: Store): Membership | undefined {
  const row = db.prepare<[string], { value: string }>('SELECT value FROM kv WHERE key = ?').get(KEY)
  return row && Membership.parse(JSON.parse(row.value))
}

/** Keeps it, in one write; on disk once the promise resolves. */
export function writeMembership(store: Store, membership: Membership): Promise<void> {
  return store.write((db) => {
    db.prepare('INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(KEY, JSON.stringify(membership))
  })
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
