import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'

const Ids = z.array(z.object({ id: z.string() }))
const HostRows = z.array(z.object({ id: z.string(), status: z.string(), ip: z.string().nullable() }))
const Leases = z.array(z.object({ ip: z.string(), mac: z.string(), state: z.string(), until: z.number() }))
export type SiteLease = z.infer<typeof Leases>[number]

/** The appliance's own record, read beside the running daemon: what it knows while nobody can ask the manager. */
export const siteStore = (data: string) => ({
  /** Ids of all facts that it told or will tell (it keeps the last 5,000). */
  factIds: () => query(data, Ids, 'SELECT id FROM outbox ORDER BY seq').map((row) => row.id),
  hostByMac: (mac: string) =>
    query(data, HostRows, 'SELECT hosts.id, status, ip FROM hosts JOIN host_macs ON host = hosts.id WHERE mac = ?', mac)[0],
  leases: () => query(data, Leases, "SELECT ip, mac, state, until FROM leases WHERE state = 'bound' ORDER BY ip"),
})

function query<S extends z.ZodType>(data: string, schema: S, sql: string, ...values: string[]): z.infer<S> {
  const db = new DatabaseSync(join(data, 'appliance.sqlite'), { readOnly: true })
  try {
    return schema.parse(db.prepare(sql).all(...values))
  } finally {
    db.close()
  }
}
