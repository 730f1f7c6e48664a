import { existsSync, linkSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncPathNow } from '@bridgehead/shared/sync.ts'
import Database from 'better-sqlite3'

/** Where the copy lies that is taken before an update. */
const snapshotOf = (path: string) => `${path}.before-update`
/** Pages a step; between steps the event loop turns. */
const PAGES = 64

/**
 * Copies the store at `path`, as it is at this moment, to `{path}.before-update`; resolves once the copy is on disk in the place of an
 * older one. The copy is made by a connection of its own, which holds one read transaction: writes go on meanwhile and do not restart it.
 */
export async function takeSnapshot(path: string): Promise<void> {
  if (path === ':memory:' || path === '') return
  const begun = `${snapshotOf(path)}.part`
  rmSync(begun, { force: true })
  const reader = new Database(path, { readonly: true })
  try {
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM sqlite_schema').get()
    await reader.backup(begun, { progress: () => PAGES })
  } finally {
    reader.close()
  }
  syncPathNow(begun)
  renameSync(begun, snapshotOf(path))
  syncPathNow(dirname(path))
}

/**
 * Puts the snapshot in the place of the store, which is kept as `{path}.newer`. False when there is no snapshot. At each moment one whole
 * store lies at `path`. The caller closed the store, and with that brought its log into the file.
 */
export function restoreSnapshot(path: string): boolean {
  if (path === ':memory:' || !existsSync(snapshotOf(path))) return false
  // SQLite would apply a log that was left behind to whatever file it finds beside it
  for (const end of ['-wal', '-shm']) if (existsSync(path + end)) renameSync(path + end, `${path}.newer${end}`)
  rmSync(`${path}.newer`, { force: true })
  linkSync(path, `${path}.newer`)
  renameSync(snapshotOf(path), path)
  syncPathNow(dirname(path))
  return true
}
