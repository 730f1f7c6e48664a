import { expect, test } from 'vitest'
import { openStore } from './store.ts'

const put = (key: string) => (db: import('./store.ts').Db) => db.prepare('INSERT INTO kv VALUES (?, ?)').run(key, '1')
const keys = (store: ReturnType<typeof openStore>) =>
  store.db
    .prepare('SELECT key FROM kv ORDER BY key')
    .all()
    .map((row) => (row as { key: string }).key)

test('writes of one turn share a transaction and resolve after it', async () => {
  const store = openStore(':memory:')
  const first = store.write(put('a'))
  const second = store.write(put('b'))
  expect(store.db.inTransaction).toBe(true)
  await Promise.all([first, second])
  expect(store.db.inTransaction).toBe(false)
  expect(keys(store)).toEqual(['a', 'b'])
  store.close()
})

test('a task that throws takes only itself back', async () => {
  const store = openStore(':memory:')
  const good = store.write(put('a'))
  const bad = store.write((db) => {
    put('b')(db)
    throw new Error('no')
  })
  const alsoGood = store.write(put('c'))
  await good
  await expect(bad).rejects.toThrow('no')
  await alsoGood
  expect(keys(store)).toEqual(['a', 'c'])
  store.close()
})
