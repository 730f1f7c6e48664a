import type { EventData, EventKind } from '@bridgehead/shared/model/event.ts'
import type { Db, Tx } from '../engines/store/store.ts'

/** The newest facts of one kind that a site told, newest first. `at` is the site's own clock. */
export async function newestFacts<K extends EventKind>(
  db: Db | Tx,
  site: string,
  kind: K,
  limit: number,
): Promise<(EventData<K> & { at: number })[]> {
  const rows = await db
    .selectFrom('events')
    .select(['at', 'data'])
    .where('site', '=', site)
    .where('kind', '=', kind)
    .orderBy('seq', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...(JSON.parse(row.data) as EventData<K>), at: row.at }))
}

/** When the manager last took a fact of this site, by its own clock. */
export async function lastHeard(db: Db | Tx, site: string): Promise<number | undefined> {
  const newest = await db
    .selectFrom('events')
    .select('received_at')
    .where('site', '=', site)
    .orderBy('id', 'desc') // ids rise with time, and there is an index
    .executeTakeFirst()
  return newest?.received_at
}
