import Database from 'better-sqlite3'
import { MIGRATIONS } from './migrations.ts'
import { createWalSync } from './wal-sync.ts'

export type Db = Database.Database

/** The appliance's memory: one SQLite file in WAL mode. What `write` promised is on disk. */
export interface Store {
  /** For reading, and for preparing statements once. Write only inside `write`. */
  readonly db: Db
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

/** Opens (and migrates) the store at `path`; `:memory:` for tests. */
export function openStore(path: string): Store {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL') // each commit is synced below, beside the event loop
  db.pragma('wal_autocheckpoint = 4000')
  db.pragma('foreign_keys = ON')
  db.pragma('busy_timeout = 5000')
  migrate(db)
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

function migrate(db: Db): void {
  const version = db.pragma('user_version', { simple: true }) as number
  if (version > MIGRATIONS.length)
    throw new Error(
      `the store was written by a newer Bridgehead (schema ${version}, this one knows ${MIGRATIONS.length}); start that version again`,
    )
  for (let next = version; next < MIGRATIONS.length; next++)
    db.transaction(() => {
      db.exec(MIGRATIONS[next] ?? '')
      db.pragma(`user_version = ${next + 1}`)
    })()
}
