import type { Lan } from '@bridgehead/shared/model/state.ts'
import { matches, parseSelector, type Tags } from '@bridgehead/shared/model/tags.ts'
import type { Selectable } from 'kysely'
import { invalidField, notFound, Problem } from '../engines/http/problem.ts'
import type { Database } from '../engines/store/schema.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { type BoxFacts, findBoxFacts, listBoxFacts } from './box-facts.ts'
import type { NewSite, Site, SitePatch } from './model.ts'

export interface SiteRow {
  id: string
  organisation: string
  name: string
  tags: Tags
  lans: Lan[]
  unknown: NewSite['unknown']
  dns: NewSite['dns']
  subnet: number
  revision: number
  createdAt: number
  updatedAt: number
}

/** Subnet numbers of the overlay's /48; 0 is the hub's. */
const LAST_SUBNET = 65_535

export async function listSites(db: Db | Tx, organisation: string, selector = ''): Promise<SiteRow[]> {
  const terms = parseSelector(selector)
  const rows = await db.selectFrom('sites').selectAll().where('organisation', '=', organisation).orderBy('name').execute()
  return rows.map(toRow).filter((site) => matches(terms, { ...site.tags, site: site.name }))
}

/** By id or name. */
export async function findSite(db: Db | Tx, organisation: string, idOrName: string): Promise<SiteRow | undefined> {
  const row = await db
    .selectFrom('sites')
    .selectAll()
    .where('organisation', '=', organisation)
    .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .executeTakeFirst()
  return row && toRow(row)
}

/** Throws `not-found`, also for another organisation's site. */
export async function getSite(db: Db | Tx, organisation: string, idOrName: string): Promise<SiteRow> {
  const site = await findSite(db, organisation, idOrName)
  if (!site) throw notFound('site', idOrName)
  return site
}

/** Whatever organisation it belongs to: for what comes from the site itself. */
export async function findSiteById(db: Db | Tx, id: string): Promise<SiteRow | undefined> {
  const row = await db.selectFrom('sites').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toRow(row)
}

export async function addSite(tx: Tx, organisation: string, id: string, site: NewSite, now: number): Promise<void> {
  await checkName(tx, organisation, site.name, id)
  await tx
    .insertInto('sites')
    .values({
      id,
      organisation,
      name: site.name,
      tags: JSON.stringify(site.tags),
      lans: JSON.stringify(site.lans),
      unknown: site.unknown,
      dns: JSON.stringify(site.dns),
      subnet: await nextSubnet(tx),
      revision: 1,
      created_at: now,
      updated_at: now,
    })
    .execute()
  await tx
    .insertInto('site_states')
    .values({ site: id, organisation, wanted: 1, compiled: 0, revision: 0, content_sha256: '', state: '', jws: '', at: now, published: 0 })
    .execute()
}

/** Throws `revision-stale` when `patch.revision` is not the current one. */
export async function patchSite(tx: Tx, site: SiteRow, patch: SitePatch, now: number): Promise<void> {
  if (patch.revision !== undefined && patch.revision !== site.revision)
    throw new Problem(
      'revision-stale',
      `you changed revision ${patch.revision}, but the site is at revision ${site.revision}; read it again`,
    )
  if (patch.name !== undefined) await checkName(tx, site.organisation, patch.name, site.id)
  await tx
    .updateTable('sites')
    .set({
      revision: site.revision + 1,
      updated_at: now,
      ...(patch.name === undefined ? {} : { name: patch.name }),
      ...(patch.tags === undefined ? {} : { tags: JSON.stringify(patch.tags) }),
      ...(patch.lans === undefined ? {} : { lans: JSON.stringify(patch.lans) }),
      ...(patch.unknown === undefined ? {} : { unknown: patch.unknown }),
      ...(patch.dns === undefined ? {} : { dns: JSON.stringify(patch.dns) }),
    })
    .where('id', '=', site.id)
    .execute()
}

/** With its hosts, tokens, state and box. */
export async function deleteSite(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('sites').where('id', '=', id).execute()
}

/** Site rows as the API shows them, but for whether their boxes are online. */
export async function present(
  db: Db | Tx,
  sites: readonly SiteRow[],
  overlayAddress: (subnet: number) => string | undefined,
): Promise<Omit<Site, 'online'>[]> {
  if (sites.length === 0) return []
  const ids = sites.map((site) => site.id)
  const some = ids.length > 500 ? undefined : ids
  const states = await db
    .selectFrom('site_states')
    .select(['site', 'revision'])
    .$if(some !== undefined, (query) => query.where('site', 'in', some ?? []))
    .execute()
  const boxes = await db
    .selectFrom('appliances')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('site', 'in', some ?? []))
    .execute()
  const organisation = sites[0]?.organisation ?? ''
  const [only] = sites.length === 1 ? sites : []
  const facts = only ? new Map([[only.id, await findBoxFacts(db, only.id)]]) : await listBoxFacts(db, organisation)
  const stateOf = new Map(states.map((row) => [row.site, row.revision]))
  const boxOf = new Map(boxes.map((row) => [row.site, row]))
  return sites.map(({ organisation: _, subnet, ...site }) => {
    const box = boxOf.get(site.id)
    const stateRevision = stateOf.get(site.id) ?? 0
    return { ...site, stateRevision, ...(box ? { appliance: presentBox(box, overlayAddress(subnet), facts.get(site.id)) } : {}) }
  })
}

function presentBox(
  box: Selectable<Database['appliances']>,
  overlayAddress: string | undefined,
  { booted, progress, repaired }: BoxFacts = {},
): NonNullable<Site['appliance']> {
  return {
    enrolledAt: box.enrolled_at,
    version: box.version,
    hardware: JSON.parse(box.hardware) as NonNullable<Site['appliance']>['hardware'],
    overlayAddress,
    appliedRevision: box.applied_revision ?? undefined,
    appliedAt: box.applied_at ?? undefined,
    refused: box.refused === null ? undefined : (JSON.parse(box.refused) as NonNullable<Site['appliance']>['refused']),
    sshPublicKey: box.ssh_public_key ?? undefined,
    booted,
    update: progress,
    repaired,
  }
}

function toRow(row: Selectable<Database['sites']>): SiteRow {
  return {
    id: row.id,
    organisation: row.organisation,
    name: row.name,
    tags: JSON.parse(row.tags) as Tags,
    lans: JSON.parse(row.lans) as Lan[],
    unknown: row.unknown,
    dns: JSON.parse(row.dns) as NewSite['dns'],
    subnet: row.subnet,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

async function checkName(tx: Tx, organisation: string, name: string, id: string): Promise<void> {
  const other = await tx
    .selectFrom('sites')
    .select('id')
    .where('organisation', '=', organisation)
    .where('name', '=', name)
    .executeTakeFirst()
  if (other && other.id !== id) throw invalidField(['name'], `another site is named "${name}"`, 'name-taken')
}

/** The number after the last one ever given: a deleted site's addresses are not used again. */
async function nextSubnet(tx: Tx): Promise<number> {
  const last = await tx.selectFrom('settings').select('value').where('key', '=', 'last-subnet').executeTakeFirst()
  const next = Number(last?.value ?? 0) + 1
  if (next > LAST_SUBNET) throw new Problem('unavailable', `the overlay has room for ${LAST_SUBNET} sites; all numbers were given out`)
  const value = String(next)
  await tx
    .insertInto('settings')
    .values({ key: 'last-subnet', value })
    .onConflict((on) => on.column('key').doUpdateSet({ value }))
    .execute()
  return next
}
