import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { Outbox } from '../../store/outbox.ts'
import type { Store } from '../../store/store.ts'

interface Row {
  sha256: string
  bytes: number
  lastUsed: number
}

/** A use is written down only when the last one is older: every write is an fsync. */
const USED_MS = 3_600_000

/** The `artifacts` table, kept in memory too: a row says that the file of that name is whole and was checked. */
export function artifactRows({ store, outbox, clock, log }: { store: Store; outbox: Outbox; clock: Clock; log: Log }) {
  const insert = store.db.prepare<[string, string, number, number, number]>(
    'INSERT INTO artifacts (sha256, name, bytes, at, last_used) VALUES (?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET last_used = excluded.last_used',
  )
  const touch = store.db.prepare<[number, string]>('UPDATE artifacts SET last_used = ? WHERE sha256 = ?')
  const remove = store.db.prepare<[string]>('DELETE FROM artifacts WHERE sha256 = ?')
  const all = store.db.prepare<[], Row>('SELECT sha256, bytes, last_used AS lastUsed FROM artifacts').all()
  const rows = new Map<string, Row>(all.map((row) => [row.sha256, row]))
  const touching = new Set<Promise<unknown>>()
  return {
    all: () => [...rows.values()],
    has: (sha256: string) => rows.has(sha256),
    bytes: (sha256: string) => rows.get(sha256)?.bytes ?? 0,
    /** Records a checked file and tells the manager, both or neither. */
    async add({ sha256, name, bytes }: ArtifactRef, ms: number): Promise<void> {
      const now = clock.now()
      await store.write(() => {
        insert.run(sha256, name, bytes, now, now)
        outbox.add('artifact.ready', { sha256, name, bytes, ms })
      })
      rows.set(sha256, { sha256, bytes, lastUsed: now })
    },
    refuse: ({ sha256, name }: ArtifactRef, why: string) => store.write(() => outbox.add('artifact.refused', { sha256, name, why })),
    async remove(sha256: string): Promise<void> {
      if (rows.delete(sha256)) await store.write(() => remove.run(sha256))
    },
    used(sha256: string): void {
      const row = rows.get(sha256)
      const now = clock.now()
      if (!row || now - row.lastUsed < USED_MS) return
      row.lastUsed = now
      const written = store
        .write(() => touch.run(now, sha256))
        .catch((error: unknown) => log.warn('artifact.use_not_recorded', { sha256, error }))
        .finally(() => touching.delete(written))
      touching.add(written)
    },
    async flush(): Promise<void> {
      await Promise.all(touching)
    },
  }
}
