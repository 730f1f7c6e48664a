import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncPathNow } from '@bridgehead/shared/sync.ts'

/** Brings SQLite's write-ahead log to disk beside the event loop. */
export interface WalSync {
  /** Resolves once everything that was committed before the call is on disk. */
  sync(): Promise<void>
  /** The same at once. */
  syncNow(): void
  close(): void
}

/**
 * What `synchronous=FULL` does at every commit, but in a thread of its own: an fsync takes 1 ms on an SSD and hundreds on an SD card,
 * and meanwhile neither DHCP nor TFTP nor DNS would be heard. SQLite itself (`NORMAL`) syncs the log before each checkpoint and the
 * database before the log starts anew, so that what leaves the log is on disk too (https://www.sqlite.org/wal.html §2.4).
 */
export function createWalSync(path: string): WalSync {
  if (path === ':memory:') return { sync: () => Promise.resolve(), syncNow() {}, close() {} }
  let wal: number | undefined
  let running = 0
  let closing = false
  const open = () => {
    if (wal !== undefined) return wal
    wal = openSync(`${path}-wal`, 'r')
    syncPathNow(dirname(path)) // the log's own entry, once: SQLite would do it at its first sync
    return wal
  }
  /** A descriptor that a sync is using must not be closed: its number might be another file's the next moment. */
  const closeWhenIdle = () => {
    if (!closing || running > 0 || wal === undefined) return
    closeSync(wal)
    wal = undefined
  }
  return {
    sync: () =>
      new Promise((resolve, reject) => {
        const fd = open()
        running += 1
        fdatasync(fd, (error) => {
          running -= 1
          closeWhenIdle()
          if (error) reject(error)
          else resolve()
        })
      }),
    syncNow: () => fdatasyncSync(open()),
    close() {
      closing = true
      closeWhenIdle()
    },
  }
}
