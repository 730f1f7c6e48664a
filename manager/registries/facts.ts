import { defaultHostName } from '@bridgehead/shared/boot/rules.ts'
import type { EventData, HostFacts } from '@bridgehead/shared/model/event.ts'
import type { Tags } from '@bridgehead/shared/model/tags.ts'
import type { Tx } from '../engines/store/store.ts'
import type { HostIntent } from './model.ts'

/** A fact from a site; `host` is the id under which the manager knows the machine. */
export interface Fact<D> {
  organisation: string
  site: string
  host: string
  at: number
  data: D
}

/**
 * A machine was seen for the first time. When one with such a MAC was registered here, that one stays and the site's id becomes
 * another name of it; otherwise it is added under the site's id. True when the site's state may change by it.
 */
export async function onDiscovered(tx: Tx, { organisation, site, host, at, data }: Fact<EventData<'host.discovered'>>): Promise<boolean> {
  const known = await tx.selectFrom('hosts').select(['id', 'facts']).where('id', '=', host).where('site', '=', site).executeTakeFirst()
  const macs = data.facts.macs
  const owner = macs.length === 0 ? undefined : await ownerOf(tx, site, macs)
  const target = known?.id ?? owner
  if (target !== undefined && target !== host) {
    await tx
      .insertInto('host_aliases')
      .values({ site, alias: host, host: target, organisation })
      .onConflict((on) => on.columns(['site', 'alias']).doUpdateSet({ host: target }))
      .execute()
  }
  if (target === undefined) {
    const name = await freeName(tx, site, defaultHostName(macs))
    await tx
      .insertInto('hosts')
      .values({
        id: host,
        organisation,
        site,
        name,
        tags: '{}',
        uuid: uuidOf(data.facts),
        serial: data.facts.serial ?? null,
        facts: JSON.stringify(data.facts),
        decided: 0,
        approved: 0,
        retired: 0,
        status: 'discovered',
        why: null,
        ip: null,
        profile: null,
        intent: null,
        host_keys: '[]',
        address: null,
        lan: data.lan ?? null,
        rule: null,
        revision: 1,
        first_seen: at,
        last_seen: at,
      })
      .execute()
    await addMacs(tx, organisation, site, host, macs)
    return false // the site knows it itself; nothing was decided
  }
  await tx
    .updateTable('hosts')
    .set({ last_seen: at, ...(data.lan === undefined ? {} : { lan: data.lan }) })
    .where('id', '=', target)
    .execute()
  return onFacts(tx, { organisation, site, host: target, at, data })
}

/** More about a machine that is known. */
export async function onFacts(tx: Tx, { organisation, site, host, at, data }: Fact<{ facts: HostFacts }>): Promise<boolean> {
  const row = await tx.selectFrom('hosts').select(['facts', 'uuid', 'serial']).where('id', '=', host).executeTakeFirst()
  if (!row) return onDiscovered(tx, { organisation, site, host, at, data }) // forgotten here, known there
  const merged = mergeFacts(JSON.parse(row.facts) as Partial<HostFacts>, data.facts)
  await tx
    .updateTable('hosts')
    .set({
      facts: JSON.stringify(merged),
      last_seen: at,
      uuid: row.uuid ?? uuidOf(merged),
      serial: row.serial ?? merged.serial ?? null,
    })
    .where('id', '=', host)
    .execute()
  const added = await addMacs(tx, organisation, site, host, data.facts.macs)
  return added || (row.uuid === null && uuidOf(merged) !== null) || (row.serial === null && merged.serial !== undefined)
}

/** A rule of the site approved it. */
export async function onApproved(tx: Tx, { site, host, at, data }: Fact<EventData<'host.approved'>>): Promise<boolean> {
  const row = await tx.selectFrom('hosts').selectAll().where('id', '=', host).executeTakeFirst()
  if (!row) return false
  const intent: HostIntent | undefined =
    data.intent === undefined || row.intent !== null
      ? undefined
      : {
          id: data.intent,
          kind: 'install',
          at,
          state: 'pending',
          attempts: 0,
          ...(data.profile === undefined ? {} : { profile: data.profile }),
        }
  await tx
    .updateTable('hosts')
    .set({
      decided: 1,
      approved: 1,
      status: row.status === 'discovered' ? 'approved' : row.status,
      rule: data.rule,
      name: row.name === data.name ? row.name : await freeName(tx, site, data.name, host),
      tags: JSON.stringify({ ...data.tags, ...(JSON.parse(row.tags) as Tags) }),
      profile: row.profile ?? data.profile ?? null,
      revision: row.revision + 1,
      last_seen: at,
      ...(intent ? { intent: JSON.stringify(intent) } : {}),
    })
    .where('id', '=', host)
    .execute()
  return true
}

export async function onStatus(tx: Tx, { host, at, data }: Fact<EventData<'host.status'>>): Promise<boolean> {
  await tx
    .updateTable('hosts')
    .set({ status: data.status, why: data.why ?? null, last_seen: at })
    .where('id', '=', host)
    .execute()
  return false
}

export async function onPhoneHome(tx: Tx, { host, at, data }: Fact<EventData<'host.phone-home'>>): Promise<boolean> {
  const values = { address: data.ip, host_keys: JSON.stringify(data.hostKeys), last_seen: at }
  await tx.updateTable('hosts').set(values).where('id', '=', host).execute()
  return false
}

export async function onIntentStarted(tx: Tx, fact: Fact<EventData<'intent.started'>>): Promise<boolean> {
  await changeIntent(tx, fact, (intent) => ({ ...intent, state: 'started', attempts: fact.data.attempt }))
  return false
}

/** The wish came true, so it leaves the state; a newer wish stays. */
export async function onIntentDone(tx: Tx, fact: Fact<EventData<'intent.done'>>): Promise<boolean> {
  return changeIntent(tx, fact, () => undefined)
}

/** It stays in the state, so that the site goes on refusing to repeat it, until a person takes it back or wishes anew. */
export async function onIntentFailed(tx: Tx, fact: Fact<EventData<'intent.failed'>>): Promise<boolean> {
  await changeIntent(tx, fact, (intent) => ({ ...intent, state: 'failed', why: fact.data.why }))
  return false
}

export async function onLease(tx: Tx, { organisation, site, host, at, data }: Fact<EventData<'dhcp.lease'>>): Promise<boolean> {
  const values = { mac: data.mac, hostname: data.hostname ?? null, until: data.until }
  await tx
    .insertInto('leases')
    .values({ organisation, site, lan: data.lan, ip: data.ip, ...values })
    .onConflict((on) => on.columns(['site', 'lan', 'ip']).doUpdateSet(values))
    .execute()
  const owner = await ownerOf(tx, site, [data.mac])
  await tx
    .updateTable('hosts')
    .set({ address: data.ip, lan: data.lan, last_seen: at })
    .where('id', '=', owner ?? host)
    .execute()
  return false
}

export async function onRelease(tx: Tx, { site, data }: Fact<EventData<'dhcp.release'>>): Promise<boolean> {
  await tx
    .deleteFrom('leases')
    .where('site', '=', site)
    .where('lan', '=', data.lan)
    .where('ip', '=', data.ip)
    .where('mac', '=', data.mac)
    .execute()
  return false
}

/** Newer facts win; MACs add up. */
export function mergeFacts(old: Partial<HostFacts>, news: HostFacts): HostFacts {
  const told = Object.fromEntries(Object.entries(news).filter(([, value]) => value !== undefined && value !== 'unknown'))
  return { ...old, ...told, macs: [...new Set([...(old.macs ?? []), ...news.macs])].sort() }
}

async function changeIntent(
  tx: Tx,
  { host, at, data }: Fact<{ intent: string }>,
  next: (intent: HostIntent) => HostIntent | undefined,
): Promise<boolean> {
  const row = await tx.selectFrom('hosts').select('intent').where('id', '=', host).executeTakeFirst()
  const intent = row?.intent ? (JSON.parse(row.intent) as HostIntent) : undefined
  if (intent?.id !== data.intent) return false // an older wish, replaced meanwhile
  const changed = next(intent)
  await tx
    .updateTable('hosts')
    .set({ intent: changed === undefined ? null : JSON.stringify(changed), last_seen: at })
    .where('id', '=', host)
    .execute()
  return true
}

async function ownerOf(tx: Tx, site: string, macs: readonly string[]): Promise<string | undefined> {
  const row = await tx
    .selectFrom('host_macs')
    .select('host')
    .where('site', '=', site)
    .where('mac', 'in', [...macs])
    .executeTakeFirst()
  return row?.host
}

/** MACs that another host holds stay there. True when one was added. */
async function addMacs(tx: Tx, organisation: string, site: string, host: string, macs: readonly string[]): Promise<boolean> {
  if (macs.length === 0) return false
  const done = await tx
    .insertInto('host_macs')
    .values([...new Set(macs)].map((mac) => ({ site, mac, host, organisation })))
    .onConflict((on) => on.columns(['site', 'mac']).doNothing())
    .executeTakeFirst()
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** `name`, or `name-2` and so on while another host of the site has it. */
async function freeName(tx: Tx, site: string, name: string, host?: string): Promise<string> {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name.slice(0, 58)}-${number}`
    const row = await tx.selectFrom('hosts').select('id').where('site', '=', site).where('name', '=', candidate).executeTakeFirst()
    if (!row || row.id === host) return candidate
  }
}

/** Only a real UUID goes into the state, whose schema asks for one. */
function uuidOf(facts: Partial<HostFacts>): string | null {
  const uuid = facts.uuid?.toLowerCase()
  return uuid !== undefined && /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid) ? uuid : null
}
