import Sqlite from 'better-sqlite3'
import { Kysely, SqliteDialect, type Transaction } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { up as first } from './migrations/0001-first.ts'
import { up as appliances } from './migrations/0002-appliances.ts'
import { up as audit } from './migrations/0003-audit.ts'
import type { Database } from './schema.ts'

export type Db = Kysely<Database>
/** A transaction, or the database itself where one statement is enough. Inside a transaction use it alone: there is one connection. */
export type Tx = Transaction<Database>

/** Oldest first. Never edit one that was released: append. */
const MIGRATIONS: Record<string, Migration> = {
  '0001-first': { up: first },
  '0002-appliances': { up: appliances },
  '0003-audit': { up: audit },
}

export class StoreError extends Error {
  readonly code = 'store'
}

/** Opens the manager's SQLite file (WAL, synchronous FULL: what was acknowledged is on disk) and migrates it. `:memory:` for tests. */
export async function openStore(path: string): Promise<Db> {
  const sqlite = openFile(path)
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: sqlite }) })
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } })
  const { error } = await migrator.migrateToLatest()
  if (error) {
    await db.destroy()
    throw new StoreError(`cannot migrate ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  return db
}

function openFile(path: string): Sqlite.Database {
  try {
    const sqlite = new Sqlite(path)
    sqlite.pragma('journal_mode = WAL')
    sqlite.pragma('synchronous = FULL')
    sqlite.pragma('foreign_keys = ON')
    sqlite.pragma('busy_timeout = 5000')
    return sqlite
  } catch (cause) {
    throw new StoreError(`cannot open ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
