import Database from 'better-sqlite3'
import { MIGRATIONS } from './migrations.ts'

export type Db = Database.Database

/** The appliance's memory: one SQLite file in WAL mode, synchronous=FULL. */
export interface Store {
  /** For reading, and for preparing statements once. Write only inside `write`. */
  readonly db: Db
  /**
   * Runs `task` now, inside the transaction that all writes of this event-loop turn (and of the next ones, while each brings more)
   * share; resolves with its result once that transaction is on disk (fsync). A task that throws is rolled back alone. Never awaits inside.
   */
  write<T>(task: (db: Db) => T): Promise<T>
  close(): void
}

/** How many busy turns may share a transaction: some 10 ms of packets at full load. */
const MAX_TURNS = 16

/** Opens (and migrates) the store at `path`; `:memory:` for tests. */
export function openStore(path: string): Store {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('foreign_keys = ON')
  db.pragma('busy_timeout = 5000')
  migrate(db)

  let waiting: { commit: () => void; abort: (error: unknown) => void }[] = []
  let turns = 0
  let seen = 0
  /** A turn that brought more tasks leaves the transaction open for the next, so that under load one fsync serves hundreds. */
  const endTurn = () => {
    if (waiting.length > seen && ++turns < MAX_TURNS) {
      seen = waiting.length
      setImmediate(endTurn)
    } else flush()
  }
  const flush = () => {
    if (waiting.length === 0) return // closed meanwhile
    const settled = waiting
    waiting = []
    try {
      db.exec('COMMIT')
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      for (const one of settled) one.abort(error)
      return
    }
    for (const one of settled) one.commit()
  }

  return {
    db,
    write<T>(task: (db: Db) => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (waiting.length === 0) {
          db.exec('BEGIN IMMEDIATE')
          turns = 0
          seen = 1
          setImmediate(endTurn)
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
      flush()
      db.close()
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
