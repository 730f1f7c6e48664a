import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncPathNow } from '@bridgehead/shared/sync.ts'

/** Replaces `path` whole or not at all: temporary file, fsync, rename, fsync of the directory. */
export function writeFileAtomically(path: string, text: string, mode: number): void {
  const temporary = `${path}.new`
  rmSync(temporary, { force: true }) // one left by a crash would keep its mode; chmod would fail on FAT
  const file = openSync(temporary, 'wx', mode)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  syncPathNow(dirname(path))
}
