import Database from 'better-sqlite3'
import { MIGRATIONS, OLDEST_READER } from './migrations.ts'
import { restoreSnapshot } from './snapshot.ts'
import { createWalSync } from './wal-sync.ts'

export type Db = Database.Database

/** The appliance's memory: one SQLite file in WAL mode. What `write` promised is on disk. */
export interface Store {
  /** For reading, and for preparing statements once. Write only inside `write`. */
  readonly db: Db
  /** Why an older copy is in use: what was written since the last update is lost to this version. */
  readonly restored: string | undefined
  /**
   * Runs `task` now, inside the transaction that all writes of this event-loop turn share (and of the next ones, while the disk is busy
   * with the one before); resolves with its result once that transaction is on disk (fsync). A task that throws is rolled back alone.
   * Never awaits inside.
   */
  write<T>(task: (db: Db) => T): Promise<T>
  close(): void
}

interface Waiting {
  commit: () => void
  abort: (error: unknown) => void
}

/**
 * Opens (and migrates) the store at `path`; `:memory:` for tests. Where a newer version left a store that this one cannot read, the snapshot
 * that was taken before the update takes its place (`restored`); without one, throws StoreTooNew.
 */
export function openStore(path: string): Store {
  let restored: string | undefined
  let db = openDatabase(path)
  try {
    migrate(db)
  } catch (error) {
    db.close()
    if (!(error instanceof StoreTooNew) || !restoreSnapshot(path)) throw error
    restored = error.message
    db = openDatabase(path)
    migrate(db)
  }
  const wal = createWalSync(path)

  let waiting: Waiting[] = []
  let syncing: Waiting[] = []

  /** Commits what waits; undefined when nothing does, or when it failed and everybody was told. */
  const commit = (): Waiting[] | undefined => {
    if (waiting.length === 0) return undefined
    const settled = waiting
    waiting = []
    try {
      db.exec('COMMIT')
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      for (const one of settled) one.abort(error)
      return undefined
    }
    return settled
  }
  /** One sync at a time: what comes meanwhile shares the next one. So the slower the disk, the more a sync serves. */
  const flush = () => {
    if (syncing.length > 0) return
    const settled = commit()
    if (settled === undefined) return
    syncing = settled
    wal.sync().then(
      () => settle((one) => one.commit()),
      (error) => settle((one) => one.abort(error)),
    )
  }
  const settle = (tell: (one: Waiting) => void) => {
    const settled = syncing
    syncing = []
    for (const one of settled) tell(one)
    if (db.open) flush()
  }

  return {
    db,
    restored,
    write<T>(task: (db: Db) => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (waiting.length === 0) {
          db.exec('BEGIN IMMEDIATE')
          setImmediate(flush)
        }
        db.exec('SAVEPOINT task')
        try {
          const result = task(db)
          db.exec('RELEASE task')
          waiting.push({ commit: () => resolve(result), abort: reject })
        } catch (error) {
          db.exec('ROLLBACK TO task; RELEASE task')
          waiting.push({ commit: () => reject(error), abort: () => reject(error) })
        }
      })
    },
    close() {
      if (!db.open) return
      const settled = [...syncing, ...(commit() ?? [])]
      syncing = []
      if (settled.length > 0) wal.syncNow()
      for (const one of settled) one.commit()
      wal.close()
      db.close() // checkpoints, synced
    },
  }
}

function openDatabase(path: string): Db {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL') // each commit is synced, beside the event loop
  db.pragma('wal_autocheckpoint = 4000')
  db.pragma('foreign_keys = ON')
  db.pragma('busy_timeout = 5000')
  return db
}

/** The store was written by a version whose schema this one cannot work with. */
export class StoreTooNew extends Error {
  readonly code = 'store_too_new'
}

/** The smallest number of schema steps that a version must know to work with what lies in `db`. */
export function oldestReader(db: Db): number {
  return db.prepare<[], { steps: number }>('SELECT steps FROM oldest_reader').get()?.steps ?? MIGRATIONS.length
}

/** Steps only add, so a store that a newer version left behind after a fall back is worked with as it is, where that one allows it. */
function migrate(db: Db): void {
  const version = db.pragma('user_version', { simple: true }) as number
  if (version === MIGRATIONS.length) return
  if (version > MIGRATIONS.length) {
    const needs = oldestReader(db)
    if (needs <= MIGRATIONS.length) return
    throw new StoreTooNew(
      `the store was written by a newer Bridgehead (schema ${version}, readable from schema ${needs} on; this one knows ${MIGRATIONS.length}); start that version again`,
    )
  }
  db.transaction(() => {
    for (const step of MIGRATIONS.slice(version)) db.exec(step)
    db.prepare('UPDATE oldest_reader SET steps = ?').run(OLDEST_READER)
    db.pragma(`user_version = ${MIGRATIONS.length}`)
  })()
}
