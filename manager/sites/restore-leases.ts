import { contains, Ipv4, Mac } from '@bridgehead/shared/model/address.ts'
import type { RestoredLease } from '@bridgehead/shared/model/enrolment.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import type { Db } from '../engines/store/store.ts'

/** As a site told it: renewals are not told, ends are. */
export interface ToldLease {
  lan: string
  ip: string
  mac: string
  hostname: string | null
  until: number
}

/**
 * What the site's last box had promised and what may still live, for its successor. Pure. Only beginnings and ends of leases are facts
 * that sites tell, so a lease that did not end may have been renewed until the last moment: it counts as renewed now. At worst an
 * address that nobody holds is kept free for one lease time.
 */
export function livingLeases(told: readonly ToldLease[], lans: readonly Lan[], now: number): RestoredLease[] {
  return told.flatMap((lease) => {
    const lan = lans.find((one) => one.name === lease.lan)
    const ip = Ipv4.safeParse(lease.ip).data
    const mac = Mac.safeParse(lease.mac).data
    if (!lan || ip === undefined || mac === undefined || !contains(lan.subnet, ip)) return []
    const until = Math.max(lease.until, now + lan.leaseSeconds * 1000)
    return [{ lan: lan.name, ip, mac, until, ...(lease.hostname === null ? {} : { hostname: lease.hostname }) }]
  })
}

export async function restoredLeases(db: Db, site: { id: string; lans: readonly Lan[] }, now: number): Promise<RestoredLease[]> {
  const rows = await db.selectFrom('leases').selectAll().where('site', '=', site.id).orderBy('lan').orderBy('ip').execute()
  return livingLeases(rows, site.lans, now)
}
