import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MIGRATIONS, OLDEST_READER } from './migrations.ts'
import { takeSnapshot } from './snapshot.ts'
import { openStore, StoreTooNew } from './store.ts'

interface Column {
  name: string
  type: string
  notnull: number
  dflt_value: string | null
  pk: number
}
type Shape = Map<string, { columns: Map<string, Column>; unique: string[]; triggers: string[] }>

function shapeAfter(steps: number): Shape {
  const db = new Database(':memory:')
  for (const step of MIGRATIONS.slice(0, steps)) db.exec(step)
  const tables = db.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all()
  const shape: Shape = new Map(
    tables.map(({ name }) => [
      name,
      {
        columns: new Map((db.pragma(`table_info(${name})`) as Column[]).map((column) => [column.name, column])),
        unique: db
          .prepare<[string], { name: string }>('SELECT name FROM pragma_index_list(?) WHERE "unique" ORDER BY name')
          .all(name)
          .map((row) => row.name),
        triggers: db
          .prepare<[string], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?")
          .all(name)
          .map((row) => row.name),
      },
    ]),
  )
  db.close()
  return shape
}

// A box may fall back to the version before, which reads and writes what the newer one left behind.
for (let step = OLDEST_READER; step < MIGRATIONS.length; step++)
  test(`step ${step + 1} only adds to what ${step} steps made`, () => {
    const after = shapeAfter(step + 1)
    for (const [table, before] of shapeAfter(step)) {
      const now = after.get(table)
      if (!now) throw new Error(`table ${table} is gone`)
      for (const [name, column] of before.columns) expect(now.columns.get(name), `${table}.${name}`).toMatchObject({ ...column, name })
      for (const [name, column] of now.columns)
        if (!before.columns.has(name))
          expect(column.notnull === 0 || column.dflt_value !== null, `${table}.${name} may be left out`).toBe(true)
      expect(now.unique, `${table} refuses no more rows than before`).toEqual(before.unique)
      expect(now.triggers, `${table} does nothing more than before`).toEqual(before.triggers)
    }
  })

test('one version back can read what this one writes', () => {
  expect(OLDEST_READER).toBeLessThan(MIGRATIONS.length)
})

describe('a store that a newer version left behind', () => {
  let directory = ''
  let path = ''
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'store-'))
    path = join(directory, 'store.sqlite')
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  /** A later version adds a step and writes a lease with a column that this one does not know. */
  const newer = (oldestReader: number) => {
    const db = new Database(path)
    db.pragma('journal_mode = WAL')
    db.exec('ALTER TABLE leases ADD COLUMN colour TEXT; CREATE TABLE later (x)')
    db.prepare('UPDATE oldest_reader SET steps = ?').run(oldestReader)
    db.exec("INSERT INTO kv VALUES ('later', 'yes')")
    db.pragma(`user_version = ${MIGRATIONS.length + 1}`)
    db.close()
  }
  const write = async (key: string) => {
    const store = openStore(path)
    await store.write((db) => db.prepare("INSERT INTO kv VALUES (?, '')").run(key))
    return store
  }
  const keys = (store: ReturnType<typeof openStore>) =>
    store.db
      .prepare<[], { key: string }>('SELECT key FROM kv ORDER BY key')
      .all()
      .map(({ key }) => key)

  test('is worked with as it is, where that version only added', async () => {
    ;(await write('before')).close()
    newer(MIGRATIONS.length)
    const store = await write('fallen-back')
    expect(keys(store)).toEqual(['before', 'fallen-back', 'later'])
    await store.write((db) =>
      db.exec("INSERT INTO leases (lan, ip, client, mac, state, until) VALUES ('lan', '10.0.0.9', 'c', 'm', 'bound', 1)"),
    )
    expect(store.restored).toBeUndefined()
    expect(store.db.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length + 1)
    store.close()
  })

  test('gives way to the snapshot that was taken before the update, and is kept beside it', async () => {
    const store = await write('before')
    await takeSnapshot(path)
    await store.write((db) => db.exec("INSERT INTO kv VALUES ('after-the-snapshot', '')"))
    store.close()
    newer(MIGRATIONS.length + 1)
    const fallen = openStore(path)
    expect(keys(fallen)).toEqual(['before'])
    expect(fallen.restored).toMatch(/written by a newer Bridgehead \(schema \d+, readable from schema \d+ on/)
    fallen.close()
    expect(existsSync(`${path}.newer`)).toBe(true)
  })

  test('is refused, with both numbers, where there is no snapshot', async () => {
    ;(await write('before')).close()
    newer(MIGRATIONS.length + 1)
    expect(() => openStore(path)).toThrow(StoreTooNew)
    expect(existsSync(path)).toBe(true)
  })

  test('a snapshot holds one moment, while writes go on', async () => {
    const store = openStore(path)
    await store.write((db) => {
      for (let row = 0; row < 20_000; row++) db.prepare('INSERT INTO kv VALUES (?, ?)').run(`row ${row}`, 'x'.repeat(50))
    })
    const taken = takeSnapshot(path)
    for (let late = 0; late < 20; late++) await store.write((db) => db.prepare("INSERT INTO kv VALUES (?, '')").run(`late ${late}`))
    await taken
    store.close()
    const copy = new Database(`${path}.before-update`, { readonly: true })
    expect(copy.prepare<[], { n: number }>("SELECT count(*) AS n FROM kv WHERE key LIKE 'row %'").get()?.n).toBe(20_000)
    expect(copy.prepare<[], { n: number }>("SELECT count(*) AS n FROM kv WHERE key LIKE 'late %'").get()?.n).toBe(0)
    expect(copy.pragma('integrity_check', { simple: true })).toBe('ok')
    copy.close()
  })
})
