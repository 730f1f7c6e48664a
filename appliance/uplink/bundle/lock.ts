import { join } from 'node:path'
import Database from 'better-sqlite3'
import { BundleError } from './check.ts'

/**
 * Makes sure that one import runs at a time in `directory`. The lock is SQLite's: the kernel lets go of it when its process dies, however it
 * dies. Returns the end of it. Throws BundleError while another one runs.
 */
export function lockImport(directory: string): () => void {
  const db = new Database(join(directory, 'lock'), { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    db.close()
    throw new BundleError('another import runs on this box; wait until it is done', { cause })
  }
  return () => db.close()
}
