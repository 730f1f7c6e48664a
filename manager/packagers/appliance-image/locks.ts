import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Board } from '@bridgehead/image/boards.ts'
import { formatLock, Lock } from '@bridgehead/image/lock.ts'

export type LockName = Board | 'tools-amd64' | 'tools-arm64'

/** Throws ZodError where the file does not fit, ENOENT where there is none. */
export async function readLock(name: LockName): Promise<Lock> {
  return Lock.parse(JSON.parse(await readFile(fileOf(name), 'utf8')))
}
export async function writeLock(name: LockName, lock: Lock): Promise<void> {
  await writeFile(fileOf(name), formatLock(lock))
}

function fileOf(name: LockName): string {
  return fileURLToPath(new URL(`../../../image/lock/${name}.json`, import.meta.url))
}
