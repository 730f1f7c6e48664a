import { join } from 'node:path'
import Database from 'better-sqlite3'

/**
 * Takes the lock `name` in `directory`, if nobody holds it. It is SQLite's: the kernel lets go of it when its process dies, however it dies.
 * Returns the end of it; undefined when another process holds it.
 */
export function takeLock(directory: string, name: 'import.lock' | 'appliance.lock'): (() => void) | undefined {
  const db = new Database(join(directory, name), { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
    return () => db.close()
  } catch (error) {
    db.close()
    if (error instanceof Database.SqliteError && error.code === 'SQLITE_BUSY') return undefined
    throw error
  }
}

export function isLocked(directory: string, name: 'import.lock' | 'appliance.lock'): boolean {
  const unlock = takeLock(directory, name)
  unlock?.()
  return unlock === undefined
}
