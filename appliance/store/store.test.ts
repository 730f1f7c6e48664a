import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
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

describe('on disk', () => {
  const inDirectory = async (use: (path: string) => Promise<void>) => {
    const directory = mkdtempSync(join(tmpdir(), 'bridgehead-store-'))
    try {
      await use(join(directory, 'store.sqlite'))
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  test('what comes while the disk is busy shares the next transaction, in order', () =>
    inDirectory(async (path) => {
      const store = openStore(path)
      const done: string[] = []
      const write = (key: string) => store.write(put(key)).then(() => done.push(key))
      const all = [write('a')]
      await new Promise((resolve) => setImmediate(resolve)) // committed, and being synced
      all.push(write('b'), write('c'))
      await Promise.all(all)
      expect(done).toEqual(['a', 'b', 'c'])
      expect(store.db.inTransaction).toBe(false)
      store.close()
    }))

  test('closing keeps and tells what was still on its way', () =>
    inDirectory(async (path) => {
      const store = openStore(path)
      const first = store.write(put('a'))
      await new Promise((resolve) => setImmediate(resolve))
      const second = store.write(put('b'))
      store.close()
      store.close()
      await Promise.all([first, second])
      const again = openStore(path)
      expect(keys(again)).toEqual(['a', 'b'])
      again.close()
    }))
})
