import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openStore } from '../store/store.ts'
import { bringBack, type DataPaths, diskFailure, isBack, markFailed, prepareData } from './data.ts'

const root = mkdtempSync(join(tmpdir(), 'bh-data-'))
afterAll(() => rmSync(root, { recursive: true }))
let boxes = 0
function box(): DataPaths & { boot: { data: { state: 'ok' } } } {
  const base = join(root, String(boxes++))
  mkdirSync(base)
  return { disk: join(base, 'disk'), memory: join(base, 'memory'), marker: join(base, 'failed'), boot: { data: { state: 'ok' } } }
}
const settle = (path: string) => openStore(path).close()
const put = async (directory: string, key: string) => {
  const store = openStore(join(directory, 'appliance.sqlite'))
  await store.write((db) => db.prepare('INSERT INTO kv VALUES (?, 1)').run(key))
  store.close()
}
const keys = (directory: string) => {
  const store = openStore(join(directory, 'appliance.sqlite'))
  const rows = store.db.prepare<[], { key: string }>('SELECT key FROM kv ORDER BY key').all()
  store.close()
  return rows.map((row) => row.key).filter((key) => key.length === 1)
}

test('a good disk is used', () => {
  const one = box()
  expect(prepareData(one.boot, one)).toEqual({ directory: one.disk, state: 'disk', mayReturn: false })
  expect(existsSync(join(one.disk, 'probe'))).toBe(false)
})

test('a disk that failed is copied into memory once, and comes back with what was written meanwhile', async () => {
  const one = box()
  prepareData(one.boot, one)
  await put(one.disk, 'a')
  mkdirSync(join(one.disk, 'keys'))
  writeFileSync(join(one.disk, 'keys', 'signing.json'), 'key')
  mkdirSync(join(one.disk, 'artifacts'))
  markFailed(one, 'SQLITE_FULL')
  const place = prepareData(one.boot, one)
  expect(place).toEqual({ directory: one.memory, state: 'memory', why: 'the data partition is full', mayReturn: true })
  expect(readFileSync(join(one.memory, 'keys', 'signing.json'), 'utf8')).toBe('key')
  expect(existsSync(join(one.memory, 'artifacts'))).toBe(true)
  await put(place.directory, 'b')
  prepareData(one.boot, one) // the daemon was started anew: what it wrote into memory counts
  expect(keys(one.memory)).toEqual(['a', 'b'])
  expect(isBack(one)).toBe(true)
  bringBack(one, settle)
  expect(prepareData(one.boot, one).state).toBe('disk')
  expect(keys(one.disk)).toEqual(['a', 'b'])
})

test('where nothing can be read the box begins anew, in memory', () => {
  const one = box()
  writeFileSync(one.disk, 'a file where the directory should be')
  const place = prepareData(one.boot, one)
  expect(place).toMatchObject({
    directory: one.memory,
    state: 'memory',
    why: expect.stringMatching(/cannot be written \((EEXIST|ENOTDIR)\)/),
  })
  expect(keys(one.memory)).toEqual([])
  expect(isBack(one)).toBe(false)
})

test('a partition that was not mounted is said', () => {
  const one = box()
  const place = prepareData({ data: { state: 'memory', why: 'bad superblock' } }, one)
  expect(place).toEqual({ directory: one.disk, state: 'memory', why: 'bad superblock', mayReturn: false })
})

test('a store whose write-ahead log was not emptied is not mixed with the one that comes back', async () => {
  const one = box()
  prepareData(one.boot, one)
  const dying = openStore(join(one.disk, 'appliance.sqlite'))
  await dying.write((db) => db.prepare('INSERT INTO kv VALUES (?, 1)').run('a'))
  markFailed(one, 'EIO') // its log is not closed: a kill -9
  const { directory } = prepareData(one.boot, one)
  expect(keys(directory)).toEqual(['a'])
  dying.close()
  await put(directory, 'b')
  bringBack(one, settle)
  expect(keys(one.disk)).toEqual(['a', 'b'])
})

for (const { code, fails } of [
  { code: 'SQLITE_FULL', fails: true },
  { code: 'SQLITE_IOERR_WRITE', fails: true },
  { code: 'EIO', fails: true },
  { code: 'SQLITE_CONSTRAINT_UNIQUE', fails: false },
  { code: 'SQLITE_BUSY', fails: false },
])
  test(`${code} is ${fails ? '' : 'not '}the disk's fault`, () => {
    expect(diskFailure(Object.assign(new Error('x'), { code }))).toBe(fails ? code : undefined)
  })
