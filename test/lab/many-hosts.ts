import { type Db, openStore } from '@bridgehead/manager/engines/store/store.ts'
import { newId } from '@bridgehead/shared/ids.ts'

const ROLES = ['edge', 'till', 'camera', 'db'] as const

/** Host number `index`, ready, with tags that differ, as the manager's database has it. */
function hostRow(organisation: string, site: string, index: number) {
  return {
    id: newId(),
    organisation,
    site,
    name: `host-${index}`,
    tags: JSON.stringify({ role: ROLES[index % ROLES.length], rack: index % 2 ? 'a' : 'b', ...(index % 7 ? {} : { spare: '' }) }),
    uuid: null,
    serial: `S${index}`,
    facts: JSON.stringify({ macs: [], vendor: 'LENOVO', product: 'ThinkCentre M720q', platform: 'uefi-x86_64' }),
    decided: 1,
    approved: 1,
    retired: 0,
    status: 'ready',
    why: null,
    ip: null,
    profile: null,
    intent: null,
    host_keys: '[]',
    address: `192.168.1.${index % 250}`,
    lan: 'main',
    rule: null,
    revision: 1,
    first_seen: Date.now(),
    last_seen: Date.now(),
  }
}

/** Puts so many hosts into a manager's database, evenly over its sites. */
export async function insertHosts(db: Db, count: number): Promise<void> {
  const sites = await db.selectFrom('sites').select(['id', 'organisation']).execute()
  const rows = Array.from({ length: count }, (_, index) => {
    const site = sites[index % sites.length]
    return hostRow(site?.organisation ?? '', site?.id ?? '', index)
  })
  for (let at = 0; at < rows.length; at += 500)
    await db
      .insertInto('hosts')
      .values(rows.slice(at, at + 500))
      .execute()
}

/** The same for a manager that runs as a process of its own: by the file of its database. */
export async function addHosts(database: string, count: number): Promise<void> {
  const db = await openStore(database)
  try {
    await insertHosts(db, count)
  } finally {
    await db.destroy()
  }
}
