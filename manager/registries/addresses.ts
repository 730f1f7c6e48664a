import { ipv4ToNumber } from '@bridgehead/shared/model/address.ts'
import { z } from 'zod'
import type { Db, Tx } from '../engines/store/store.ts'

export const Lease = z.object({
  lan: z.string(),
  ip: z.string(),
  mac: z.string(),
  /** What the client calls itself. */
  hostname: z.string().optional(),
  /** As the site told it when the lease began; renewals are not told, ends are. */
  until: z.int(),
  /** The host that has this MAC. */
  host: z.object({ id: z.string(), name: z.string() }).optional(),
})
export type Lease = z.infer<typeof Lease>

/** What a site's appliance has promised and not ended, by LAN and address. */
export async function listLeases(db: Db | Tx, site: string): Promise<Lease[]> {
  const rows = await db
    .selectFrom('leases')
    .leftJoin('host_macs', (join) => join.onRef('host_macs.site', '=', 'leases.site').onRef('host_macs.mac', '=', 'leases.mac'))
    .leftJoin('hosts', 'hosts.id', 'host_macs.host')
    .select(['leases.lan', 'leases.ip', 'leases.mac', 'leases.hostname', 'leases.until', 'hosts.id', 'hosts.name'])
    .where('leases.site', '=', site)
    .execute()
  return rows
    .map(({ id, name, hostname, ...lease }) => ({
      ...lease,
      ...(hostname === null ? {} : { hostname }),
      ...(id === null || name === null ? {} : { host: { id, name } }),
    }))
    .sort((a, b) => (a.lan === b.lan ? ipv4ToNumber(a.ip) - ipv4ToNumber(b.ip) : a.lan < b.lan ? -1 : 1))
}

export async function countLeases(db: Db | Tx, site: string): Promise<number> {
  const row = await db
    .selectFrom('leases')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('site', '=', site)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** Who holds or claims an address at a site: hosts where they were reached last or have one reserved, and clients by what they call themselves. */
export async function listHolders(db: Db | Tx, site: string): Promise<{ name: string; ip: string | undefined; lease: boolean }[]> {
  const hosts = await db.selectFrom('hosts').select(['name', 'ip', 'address']).where('site', '=', site).orderBy('name').execute()
  const leases = await listLeases(db, site)
  return [
    ...hosts.map(({ name, ip, address }) => ({ name, ip: address ?? ip ?? undefined, lease: false })),
    ...leases.flatMap(({ hostname, ip }) => (hostname === undefined ? [] : [{ name: hostname, ip, lease: true }])),
  ]
}
