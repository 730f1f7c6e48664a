import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { type AnyEvent, type EventData, type EventKind, parseEvent } from '@bridgehead/shared/model/event.ts'
import type { Db, Tx } from '../engines/store/store.ts'

/** One fact as the category that owns its kind gets it. `host` is the manager's id; empty when the fact is of no host. */
export interface Fact<K extends EventKind> {
  organisation: string
  site: string
  host: string
  at: number
  data: EventData<K>
}
/** Acts on a fact inside the transaction that stores it. True: the site's state may change by it. */
export type FactHandler<K extends EventKind> = (tx: Tx, fact: Fact<K>) => Promise<boolean>
/** Which category gets which kind; filled in `main`. Kinds without a handler are stored only. */
export type FactHandlers = { [K in EventKind]?: FactHandler<K> }

export interface IngestDeps {
  db: Db
  handlers: FactHandlers
  organisationOf(tx: Tx, site: string): Promise<string | undefined>
  /** The manager's id of a machine that the site calls `host`; undefined when it is a host of another site. */
  resolveHost(tx: Tx, site: string, host: string): Promise<string | undefined>
  changes: { mark(tx: Tx, organisation: string, site: string): Promise<void>; kick(): void }
  /** Called after facts were committed. */
  onStored(): void
  clock: Clock
  log: Log
}

/** Takes facts from the bus; each id once, however often it comes. Resolves when they are on disk, so that the bus may forget them. */
export type Ingest = (site: string, entries: readonly { event: string }[]) => Promise<void>

/** What is kept of an event that cannot be read. */
const REFUSED_CHARS = 4_096

export function createIngest({ db, handlers, organisationOf, resolveHost, changes, onStored, clock, log }: IngestDeps): Ingest {
  /** Stores one event and acts on it. Harmless when it is there already. */
  const take = async (tx: Tx, organisation: string, site: string, text: string, act: boolean, error: string | null) => {
    const parsed = parseEvent(JSON.parse(text))
    const { id, at, kind, host } = parsed.known ? parsed.event : parsed
    const known = host === undefined ? undefined : await resolveHost(tx, site, host)
    const foreign = host !== undefined && known === undefined // a site has no say about others' hosts
    const data = JSON.stringify((parsed.known ? parsed.event.data : (JSON.parse(text) as { data?: unknown }).data) ?? {})
    const boot = parsed.known && parsed.event.kind === 'boot.stage' ? (parsed.event.data as EventData<'boot.stage'>).boot : null
    const stored = await tx
      .insertInto('events')
      .values({
        organisation,
        site,
        id,
        at,
        received_at: clock.now(),
        kind,
        host: known ?? null,
        boot,
        data,
        error: foreign ? 'the host belongs to another site' : error,
      })
      .onConflict((on) => on.columns(['site', 'id']).doNothing())
      .executeTakeFirst()
    if (!act || foreign || !parsed.known || (stored.numInsertedOrUpdatedRows ?? 0n) === 0n) return
    if (await handle(tx, parsed.event, { organisation, site, host: known ?? '', at })) await changes.mark(tx, organisation, site)
    if (known !== undefined && parsed.event.kind === 'host.discovered') {
      const now = await resolveHost(tx, site, known) // it may have got another name by this very event
      if (now !== undefined && now !== known)
        await tx.updateTable('events').set({ host: now }).where('site', '=', site).where('id', '=', id).execute()
    }
  }
  const handle = (tx: Tx, event: AnyEvent, head: { organisation: string; site: string; host: string; at: number }): Promise<boolean> => {
    const handler = handlers[event.kind] as FactHandler<EventKind> | undefined
    return handler ? handler(tx, { ...head, data: event.data }) : Promise.resolve(false)
  }

  const refuse = async (organisation: string, site: string, text: string, why: string) => {
    await db
      .insertInto('refused_events')
      .values({ organisation, site, received_at: clock.now(), text: text.slice(0, REFUSED_CHARS), why: why.slice(0, REFUSED_CHARS) })
      .execute()
    log.warn('event.refused', { site, why })
  }

  return async (site, entries) => {
    const organisation = await db.transaction().execute((tx) => organisationOf(tx, site))
    if (organisation === undefined) return // deleted meanwhile, and its facts with it
    const readable: string[] = []
    for (const { event } of entries) {
      const why = unreadable(event)
      if (why === undefined) readable.push(event)
      else await refuse(organisation, site, event, why)
    }
    try {
      await db.transaction().execute(async (tx) => {
        for (const text of readable) await take(tx, organisation, site, text, true, null)
      })
    } catch (error) {
      log.warn('event.batch_failed', { site, events: readable.length, error })
      await oneByOne(organisation, site, readable)
    }
    onStored()
    changes.kick()
  }

  /** One that cannot be acted on must not hold up the others: it is stored with its error. When even that fails, the bus keeps it. */
  async function oneByOne(organisation: string, site: string, texts: readonly string[]) {
    for (const text of texts) {
      try {
        await db.transaction().execute((tx) => take(tx, organisation, site, text, true, null))
      } catch (cause) {
        const error = cause instanceof Error ? cause.message : String(cause)
        await db.transaction().execute((tx) => take(tx, organisation, site, text, false, error))
        log.error('event.not_acted_on', { site, error: cause })
      }
    }
  }
}

function unreadable(text: string): string | undefined {
  try {
    parseEvent(JSON.parse(text))
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
