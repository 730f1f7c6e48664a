import { matches, parseSelector, type Tags } from '@bridgehead/shared/model/tags.ts'
import { invalidField, notFound } from '../engines/http/problem.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import type { Key, NewKey } from './model.ts'

export async function listKeys(db: Db | Tx, organisation: string): Promise<Key[]> {
  const rows = await db.selectFrom('ssh_keys').selectAll().where('organisation', '=', organisation).orderBy('id').execute()
  return rows.map((row) => ({ id: row.id, name: row.name, publicKey: row.public_key, sites: row.sites, createdAt: row.created_at }))
}

export async function addKey(tx: Tx, organisation: string, id: string, key: NewKey, now: number): Promise<void> {
  const other = await tx
    .selectFrom('ssh_keys')
    .select('id')
    .where('organisation', '=', organisation)
    .where('name', '=', key.name)
    .executeTakeFirst()
  if (other) throw invalidField(['name'], `another key is named "${key.name}"`, 'name-taken')
  await tx
    .insertInto('ssh_keys')
    .values({ id, organisation, name: key.name, public_key: key.publicKey.trim(), sites: key.sites, created_at: now })
    .execute()
}

export async function deleteKey(tx: Tx, organisation: string, id: string): Promise<void> {
  const done = await tx.deleteFrom('ssh_keys').where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (done.numDeletedRows === 0n) throw notFound('SSH key', id)
}

/** The keys for hosts of a site with these tags. */
export async function keysFor(tx: Db | Tx, organisation: string, siteTags: Tags): Promise<{ name: string; publicKey: string }[]> {
  const keys = await listKeys(tx, organisation)
  return keys.filter((key) => matches(parseSelector(key.sites), siteTags)).map(({ name, publicKey }) => ({ name, publicKey }))
}
