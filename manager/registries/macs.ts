import { invalidField } from '../engines/http/problem.ts'
import type { Db, Tx } from '../engines/store/store.ts'

/** All that a host has from now on. Throws `mac-taken`, naming the field, when another host of the site has one of them. */
export async function setMacs(tx: Tx, host: { id: string; site: string; organisation: string }, macs: readonly string[]): Promise<void> {
  const taken = await tx
    .selectFrom('host_macs')
    .select(['mac', 'host'])
    .where('site', '=', host.site)
    .where('mac', 'in', [...macs])
    .where('host', '!=', host.id)
    .executeTakeFirst()
  if (taken) throw invalidField(['macs', macs.indexOf(taken.mac)], `${taken.mac} belongs to host ${taken.host} of this site`, 'mac-taken')
  await tx.deleteFrom('host_macs').where('host', '=', host.id).execute()
  await tx
    .insertInto('host_macs')
    .values([...new Set(macs)].map((mac) => ({ site: host.site, mac, host: host.id, organisation: host.organisation })))
    .execute()
}

/** By host, in order; of all hosts of the organisation unless told which. */
export async function macsOf(db: Db | Tx, hosts: readonly string[] | undefined, organisation: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  if (hosts?.length === 0) return found
  let query = db.selectFrom('host_macs').select(['mac', 'host']).where('organisation', '=', organisation)
  if (hosts) query = query.where('host', 'in', [...hosts])
  for (const { mac, host } of await query.orderBy('mac').execute()) found.set(host, [...(found.get(host) ?? []), mac])
  return found
}
