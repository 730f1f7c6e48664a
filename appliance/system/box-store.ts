import { mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { openStore, type Store } from '../store/store.ts'
import type { BootInfo } from './boot-info.ts'
import { bringBack, type DataPaths, type DataPlace, diskFailure, isBack, markFailed, prepareData } from './data.ts'
import { watchedStore } from './watched-store.ts'

export const STORE = 'appliance.sqlite'
const RETURN_MS = 30_000

export interface BoxStore {
  place: DataPlace
  /** With the data partition as it was found to be. */
  boot: BootInfo
  store: Store
  paths: DataPaths
}

/**
 * Opens the store where it can be written. When the disk fails, now or later, that is remembered for this boot and `again` called, which
 * never returns: memory may be ahead of the disk, and the next process begins with what the disk has.
 */
export function openBoxStore({
  booted,
  disk,
  own,
  log,
  again,
}: {
  booted: BootInfo
  /** The daemon's directory on the data partition. */
  disk: string
  /** The daemon's directory in memory. */
  own: string
  log: Log
  again: () => never
}): BoxStore {
  const paths: DataPaths = { disk, memory: join(own, 'memory'), marker: join(own, 'data-failed') }
  const place = prepareData(booted, paths)
  const path = join(place.directory, STORE)
  if (place.state === 'memory') {
    log.error('data.memory', { why: place.why })
    const boot = { ...booted, data: { ...booted.data, state: 'memory' as const, why: place.why } }
    return { place, boot, store: openOrReplace(path, log, () => undefined), paths }
  }
  const fail = (code: string) => {
    log.error('data.failed', { code })
    markFailed(paths, code)
    again()
  }
  return { place, boot: booted, store: watchedStore(openOrReplace(path, log, fail), fail), paths }
}

/** A store that cannot be read any more is put aside, and the box begins anew: what it was told comes again from its manager. */
function openOrReplace(path: string, log: Log, fail: (code: string) => void): Store {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    return openStore(path)
  } catch (error) {
    const code = diskFailure(error)
    if (code === undefined) throw error
    if (!/CORRUPT|NOTADB/.test(code)) fail(code)
    log.error('data.store_unreadable', { code, kept: `${path}.unreadable` })
    setAside(path, 'unreadable', log)
    return openStore(path)
  }
}

/** Puts the store away under another name; the next one begins empty. */
export function setAside(path: string, name: string, log: Log): void {
  for (const end of ['', '-wal', '-shm'])
    try {
      renameSync(`${path}${end}`, `${path}.${name}${end}`)
    } catch (error) {
      log.debug('data.store_part_missing', { part: end, error })
    }
}

/** One line of text in the store. A start with a full disk works without. */
export function remembered(store: Store, key: string, log: Log) {
  const read = store.db.prepare<[string], { value: string }>('SELECT value FROM kv WHERE key = ?')
  return {
    load: () => read.get(key)?.value,
    save: (value: string) =>
      void store
        .write((db) => db.prepare('INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(key, value))
        .catch((error) => log.warn('store.write_failed', { key, error })),
  }
}

/** Resolves once the disk can be written again. */
export function diskIsBack(paths: DataPaths, { every }: Pick<Clock, 'every'>): Promise<'disk'> {
  return new Promise((resolve) => {
    const end = every(RETURN_MS, () => {
      if (!isBack(paths)) return
      end()
      resolve('disk')
    })
  })
}

/** Call it once the store is closed. When the disk fails once more, what lies in memory goes on to count. */
export function returnToDisk(paths: DataPaths, log: Log): void {
  try {
    bringBack(paths, (path) => openStore(path).close())
    log.info('data.back')
  } catch (error) {
    log.error('data.back_failed', { error })
  }
}
