import type { AuditActor } from '../engines/http/audited.ts'
import type { Db } from '../engines/store/store.ts'
import type { Detail } from './detail.ts'

/** A change that was made. */
export interface Change {
  organisation: string
  /** Epoch ms. */
  at: number
  actor: AuditActor
  action: string
  /** What was changed: its id, its name, or both. */
  target?: Target | undefined
  detail: Detail
}
export interface Target {
  id?: string | undefined
  name?: string | undefined
}
export interface Entry extends Omit<Change, 'organisation'> {
  /** The manager's own order. */
  seq: number
}

/** On disk when it resolves. Names that the request did not say are those of earlier entries: a deleted thing keeps its name. */
export async function addEntry(db: Db, change: Change): Promise<void> {
  const { organisation, at, actor, action, detail } = change
  const target = change.target && (await completed(db, organisation, action, change.target))
  await db
    .insertInto('audit')
    .values({
      organisation,
      at,
      actor_kind: actor.kind,
      actor_id: actor.id,
      actor_name: actor.name,
      action,
      target_id: target?.id ?? null,
      target_name: target?.name ?? null,
      detail: JSON.stringify(detail),
    })
    .execute()
}

export interface EntryFilter {
  /** Sequence number. */
  before?: number | undefined
  limit: number
  /** Ids. */
  target?: string | undefined
  actor?: string | undefined
  /** A word, or its beginning: `site` takes `site.create` and `site.token.create`. */
  action?: string | undefined
}

/** Newest first. */
export async function listEntries(db: Db, organisation: string, { before, limit, target, actor, action }: EntryFilter): Promise<Entry[]> {
  const rows = await db
    .selectFrom('audit')
    .selectAll()
    .where('organisation', '=', organisation)
    .$if(before !== undefined, (query) => query.where('seq', '<', before ?? 0))
    .$if(target !== undefined, (query) => query.where('target_id', '=', target ?? ''))
    .$if(actor !== undefined, (query) => query.where('actor_id', '=', actor ?? ''))
    .$if(action !== undefined, (query) =>
      query.where((eb) => eb.or([eb('action', '=', action ?? ''), eb('action', 'like', `${action}.%`)])),
    )
    .orderBy('seq', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => {
    const target = {
      ...(row.target_id === null ? {} : { id: row.target_id }),
      ...(row.target_name === null ? {} : { name: row.target_name }),
    }
    return {
      seq: row.seq,
      at: row.at,
      actor: { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
      action: row.action,
      ...(target.id === undefined && target.name === undefined ? {} : { target }),
      detail: JSON.parse(row.detail) as Detail,
    }
  })
}

/** An id or a hash, so no name that a person gave: there is no index by name. */
const MADE_BY_US = /^([0-9a-f-]{36}|[0-9a-f]{64})$/

/** A path names a thing by id or by name; what is missing of both, the newest entry about it may know. */
async function completed(db: Db, organisation: string, action: string, target: Target): Promise<Target> {
  const { id, name } = target
  if (id === undefined || name !== undefined) return target
  const things = `${action.split('.')[0]}.%`
  const known = db
    .selectFrom('audit')
    .select(['target_id', 'target_name'])
    .where('organisation', '=', organisation)
    .where('action', 'like', things)
    .where('target_id', 'is not', null)
    .where('target_name', 'is not', null)
    .orderBy('seq', 'desc')
  const byId = await known.where('target_id', '=', id).executeTakeFirst()
  const row = byId ?? (MADE_BY_US.test(id) ? undefined : await known.where('target_name', '=', id).executeTakeFirst())
  return row ? { id: row.target_id ?? id, name: row.target_name ?? undefined } : target
}
