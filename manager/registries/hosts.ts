import { contains } from '@bridgehead/shared/model/address.ts'
import type { HostFacts } from '@bridgehead/shared/model/event.ts'
import type { HostSpec, HostStatus, Lan } from '@bridgehead/shared/model/state.ts'
import { matches, parseSelector, type Tags } from '@bridgehead/shared/model/tags.ts'
import type { Selectable } from 'kysely'
import { invalidField, notFound, Problem } from '../engines/http/problem.ts'
import type { Database } from '../engines/store/schema.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { macsOf, setMacs } from './macs.ts'
import type { Host, HostIntent, HostPatch, NewHost } from './model.ts'
import { effectiveTags } from './tags.ts'

export type HostRow = Selectable<Database['hosts']>

/** What hosts must know of sites and profiles; `main` fills it. */
export interface HostSurroundings {
  findSite(tx: Db | Tx, organisation: string, idOrName: string): Promise<SiteOfHost | undefined>
  listSites(tx: Db | Tx, organisation: string): Promise<SiteOfHost[]>
  /** Id of a profile by id or name. */
  findProfile(tx: Db | Tx, organisation: string, idOrName: string): Promise<string | undefined>
}
export interface SiteOfHost {
  id: string
  name: string
  tags: Tags
  lans: Lan[]
}

/** Every host, newest first, that the filters leave. Throws `invalid` for a selector that does not parse. */
export async function listHosts(
  db: Db | Tx,
  around: HostSurroundings,
  organisation: string,
  filter: { selector?: string | undefined; site?: string | undefined; status?: HostStatus | undefined },
): Promise<Host[]> {
  const terms = parseSelector(filter.selector ?? '')
  const sites = new Map((await around.listSites(db, organisation)).map((site) => [site.id, site]))
  let query = db.selectFrom('hosts').selectAll().where('organisation', '=', organisation)
  if (filter.site !== undefined) {
    const site = [...sites.values()].find((one) => one.id === filter.site || one.name === filter.site)
    if (!site) throw notFound('site', filter.site)
    query = query.where('site', '=', site.id)
  }
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  const rows = await query.orderBy('id', 'desc').execute()
  const macs = await macsOf(db, rows.length > 500 ? undefined : rows.map((row) => row.id), organisation)
  return rows.flatMap((row) => {
    const site = sites.get(row.site)
    if (!site) return []
    const host = toHost(row, site, macs.get(row.id) ?? [])
    return matches(terms, host.effectiveTags) ? [host] : []
  })
}

/** Throws `not-found`, also for another organisation's host. */
export async function getHost(db: Db | Tx, around: HostSurroundings, organisation: string, id: string): Promise<Host> {
  const row = await db.selectFrom('hosts').selectAll().where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  const site = row && (await around.findSite(db, organisation, row.site))
  if (!row || !site) throw notFound('host', id)
  return toHost(row, site, (await macsOf(db, [id], organisation)).get(id) ?? [])
}

export async function addHost(
  tx: Tx,
  around: HostSurroundings,
  organisation: string,
  id: string,
  host: NewHost,
  now: number,
): Promise<void> {
  const site = await around.findSite(tx, organisation, host.site)
  if (!site) throw invalidField(['site'], `there is no site "${host.site}"`, 'reference-unknown')
  const profile = await profileId(tx, around, organisation, host.profile)
  await checkName(tx, site.id, host.name, id)
  await checkAddress(tx, site, host.ip, id)
  await tx
    .insertInto('hosts')
    .values({
      id,
      organisation,
      site: site.id,
      name: host.name,
      tags: JSON.stringify(host.tags),
      uuid: host.uuid ?? null,
      serial: host.serial ?? null,
      facts: '{}',
      decided: 1,
      approved: host.approved ? 1 : 0,
      retired: 0,
      status: host.approved ? 'approved' : 'discovered',
      why: null,
      ip: host.ip ?? null,
      profile: profile ?? null,
      intent: null,
      host_keys: '[]',
      address: null,
      lan: null,
      rule: null,
      revision: 1,
      first_seen: now,
      last_seen: null,
    })
    .execute()
  await setMacs(tx, { id, site: site.id, organisation }, host.macs)
}

/** Throws `revision-stale` when `patch.revision` is not the current one. */
export async function patchHost(tx: Tx, around: HostSurroundings, organisation: string, id: string, patch: HostPatch): Promise<void> {
  const host = await getHost(tx, around, organisation, id)
  if (patch.revision !== undefined && patch.revision !== host.revision)
    throw new Problem(
      'revision-stale',
      `you changed revision ${patch.revision}, but the host is at revision ${host.revision}; read it again`,
    )
  const site = await around.findSite(tx, organisation, host.site)
  if (!site) throw notFound('host', id)
  const profile = patch.profile ? await profileId(tx, around, organisation, patch.profile) : patch.profile
  if (patch.name !== undefined) await checkName(tx, site.id, patch.name, id)
  if (patch.ip) await checkAddress(tx, site, patch.ip, id)
  if (patch.macs) await setMacs(tx, { id, site: site.id, organisation }, patch.macs)
  const { approved = host.approved, retired = host.retired } = patch
  await tx
    .updateTable('hosts')
    .set({
      revision: host.revision + 1,
      decided: 1,
      approved: approved ? 1 : 0,
      retired: retired ? 1 : 0,
      status: nextStatus(host.status, approved, retired),
      ...(patch.name === undefined ? {} : { name: patch.name }),
      ...(patch.tags === undefined ? {} : { tags: JSON.stringify(patch.tags) }),
      ...(patch.ip === undefined ? {} : { ip: patch.ip }),
      ...(profile === undefined ? {} : { profile }),
      ...(retired ? { intent: null } : {}),
    })
    .where('id', '=', id)
    .execute()
}

export async function deleteHost(tx: Tx, organisation: string, id: string): Promise<void> {
  const done = await tx.deleteFrom('hosts').where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (done.numDeletedRows === 0n) throw notFound('host', id)
}

/**
 * The hosts of a site as its state carries them, by id. Machines that were only seen are left out: the site knows them itself, and its
 * rules, also newer ones, may still approve them.
 */
export async function hostSpecs(tx: Db | Tx, organisation: string, site: string): Promise<HostSpec[]> {
  const rows = await tx
    .selectFrom('hosts')
    .selectAll()
    .where('site', '=', site)
    .where('organisation', '=', organisation)
    .where('decided', '=', 1)
    .orderBy('id')
    .execute()
  const macs = await macsOf(tx, rows.length > 500 ? undefined : rows.map((row) => row.id), organisation)
  return rows.map((row) => {
    const intent = row.intent === null ? undefined : (JSON.parse(row.intent) as HostIntent)
    return {
      id: row.id,
      name: row.name,
      macs: (macs.get(row.id) ?? []) as HostSpec['macs'],
      ...(row.uuid === null ? {} : { uuid: row.uuid }),
      ...(row.serial === null ? {} : { serial: row.serial }),
      tags: JSON.parse(row.tags) as Tags,
      approved: row.approved === 1,
      retired: row.retired === 1,
      ...(row.ip === null ? {} : { ip: row.ip as NonNullable<HostSpec['ip']> }),
      ...(row.profile === null ? {} : { profile: row.profile }),
      ...(intent
        ? { intent: { id: intent.id, kind: intent.kind, at: intent.at, ...(intent.profile ? { profile: intent.profile } : {}) } }
        : {}),
    }
  })
}

/** The id under which the manager knows a machine that its site calls `host`. Undefined: it is a host of another site. */
export async function resolveHost(tx: Db | Tx, site: string, host: string): Promise<string | undefined> {
  const alias = await tx.selectFrom('host_aliases').select('host').where('site', '=', site).where('alias', '=', host).executeTakeFirst()
  if (alias) return alias.host
  const known = await tx.selectFrom('hosts').select('site').where('id', '=', host).executeTakeFirst()
  return known === undefined || known.site === site ? host : undefined
}

/** Throws `reference-unknown`, naming the field `profile`. */
export async function profileId(
  tx: Tx,
  around: HostSurroundings,
  organisation: string,
  idOrName: string | undefined,
): Promise<string | undefined> {
  if (idOrName === undefined) return undefined
  const id = await around.findProfile(tx, organisation, idOrName)
  if (id === undefined) throw invalidField(['profile'], `there is no profile "${idOrName}"`, 'reference-unknown')
  return id
}

async function checkName(tx: Tx, site: string, name: string, id: string): Promise<void> {
  const other = await tx.selectFrom('hosts').select('id').where('site', '=', site).where('name', '=', name).executeTakeFirst()
  if (other && other.id !== id) throw invalidField(['name'], `another host of this site is named "${name}"`, 'name-taken')
}

async function checkAddress(tx: Tx, site: SiteOfHost, ip: string | undefined, id: string): Promise<void> {
  if (ip === undefined) return
  const lan = site.lans.find((one) => contains(one.subnet, ip))
  if (!lan)
    throw invalidField(
      ['ip'],
      `${ip} lies in no lan of site "${site.name}" (${site.lans.map((one) => one.subnet).join(', ') || 'it has none'})`,
    )
  if (lan.address === ip) throw invalidField(['ip'], `${ip} is the appliance's own address on lan "${lan.name}"`)
  const other = await tx.selectFrom('hosts').select(['id', 'name']).where('site', '=', site.id).where('ip', '=', ip).executeTakeFirst()
  if (other && other.id !== id) throw invalidField(['ip'], `${ip} is reserved for "${other.name}"`, 'address-taken')
}

function nextStatus(status: HostStatus, approved: boolean, retired: boolean): HostStatus {
  if (retired) return 'retired'
  if (status === 'retired') return approved ? 'approved' : 'discovered'
  if (!approved) return 'discovered'
  return status === 'discovered' ? 'approved' : status
}

function toHost(row: HostRow, site: SiteOfHost, macs: string[]): Host {
  const tags = JSON.parse(row.tags) as Tags
  return {
    id: row.id,
    site: row.site,
    siteName: site.name,
    name: row.name,
    macs,
    uuid: row.uuid ?? undefined,
    serial: row.serial ?? undefined,
    tags,
    effectiveTags: effectiveTags(site, { tags }),
    facts: JSON.parse(row.facts) as Partial<HostFacts>,
    approved: row.approved === 1,
    retired: row.retired === 1,
    status: row.status as HostStatus,
    why: row.why ?? undefined,
    ip: row.ip ?? undefined,
    address: row.address ?? undefined,
    lan: row.lan ?? undefined,
    profile: row.profile ?? undefined,
    rule: row.rule ?? undefined,
    intent: row.intent === null ? undefined : (JSON.parse(row.intent) as HostIntent),
    hostKeys: JSON.parse(row.host_keys) as string[],
    revision: row.revision,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen ?? undefined,
  }
}
