import type { EventData } from '@bridgehead/shared/model/event.ts'
import type { Db, Tx } from '../engines/store/store.ts'

/** What the bound box last said of itself. `at` is its own clock, epoch ms. */
export interface BoxFacts {
  /** At its last start: what was really booted. `data`: what it said since then of its data partition. */
  booted?:
    | (Omit<EventData<'appliance.started'>, 'sshPublicKey'> & { at: number; data?: EventData<'appliance.data'> & { at: number } })
    | undefined
  /** How far its last update is. */
  progress?: (EventData<'appliance.update'> & { at: number }) | undefined
  /** When it last made its other slot whole. */
  repaired?: (EventData<'appliance.slot-repaired'> & { at: number }) | undefined
}
interface Fact<D> {
  organisation: string
  site: string
  at: number
  data: D
}

/** True when another board or version was booted than before: that decides which release the box shall have. */
export async function keepBooted(
  tx: Tx,
  { data: { sshPublicKey: _, ...booted }, ...fact }: Fact<EventData<'appliance.started'>>,
): Promise<boolean> {
  const before = await findBoxFacts(tx, fact.site)
  await keep(tx, fact, { booted: JSON.stringify({ ...booted, at: fact.at }) })
  return before.booted?.board !== booted.board || before.booted?.image !== booted.image
}

/** A box learns why it went back only after it has told of its start: the reason joins what was booted. */
export async function onApplianceUpdate(tx: Tx, fact: Fact<EventData<'appliance.update'>>): Promise<boolean> {
  const { release, version, phase, why = phase } = fact.data
  const progress = JSON.stringify({ ...fact.data, at: fact.at })
  const { booted } = phase === 'rolled-back' ? await findBoxFacts(tx, fact.site) : {}
  const rollback = { release, version, why, at: fact.at }
  await keep(tx, fact, { progress, ...(booted ? { booted: JSON.stringify({ ...booted, rollback }) } : {}) })
  return false
}

export async function onDataState(tx: Tx, fact: Fact<EventData<'appliance.data'>>): Promise<boolean> {
  const { booted } = await findBoxFacts(tx, fact.site)
  if (booted) await keep(tx, fact, { booted: JSON.stringify({ ...booted, data: { ...fact.data, at: fact.at } }) })
  return false
}

export async function onSlotRepaired(tx: Tx, fact: Fact<EventData<'appliance.slot-repaired'>>): Promise<boolean> {
  await keep(tx, fact, { repaired: JSON.stringify({ ...fact.data, at: fact.at }) })
  return false
}

/** By site. */
export async function listBoxFacts(tx: Tx | Db, organisation: string): Promise<Map<string, BoxFacts>> {
  const rows = await tx.selectFrom('appliance_facts').selectAll().where('organisation', '=', organisation).execute()
  return new Map(rows.map((row) => [row.site, parsed(row)]))
}

export async function findBoxFacts(tx: Tx | Db, site: string): Promise<BoxFacts> {
  const row = await tx.selectFrom('appliance_facts').selectAll().where('site', '=', site).executeTakeFirst()
  return row ? parsed(row) : {}
}

async function keep(
  tx: Tx,
  { organisation, site }: { organisation: string; site: string },
  values: Partial<Record<'booted' | 'progress' | 'repaired', string>>,
): Promise<void> {
  await tx
    .insertInto('appliance_facts')
    .values({ organisation, site, booted: null, progress: null, repaired: null, ...values })
    .onConflict((on) => on.column('site').doUpdateSet(values))
    .execute()
}

function parsed(row: { booted: string | null; progress: string | null; repaired: string | null }): BoxFacts {
  const read = <T>(text: string | null) => (text === null ? undefined : (JSON.parse(text) as T))
  return { booted: read(row.booted), progress: read(row.progress), repaired: read(row.repaired) }
}
