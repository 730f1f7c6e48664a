import type { RestoredLease } from '@bridgehead/shared/model/enrolment.ts'
import type { Db } from '../../store/store.ts'

/**
 * Takes in what the site's last appliance had promised and what still lives at `now` (epoch ms). Call it inside `store.write`, before the LANs
 * are applied: each is read with its LAN. A promise that this box made itself stays.
 */
export function restoreLeases(db: Db, leases: readonly RestoredLease[], now: number): void {
  const put = db.prepare<[string, string, string, string | null, number]>(
    "INSERT INTO leases (lan, ip, client, mac, hostname, state, until) VALUES (?, ?, '', ?, ?, 'bound', ?) ON CONFLICT (lan, ip) DO NOTHING",
  )
  for (const { lan, ip, mac, until, hostname } of leases) if (until > now) put.run(lan, ip, mac, hostname ?? null, until)
}
