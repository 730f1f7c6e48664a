import {
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { syncPathNow } from '@bridgehead/shared/sync.ts'
import type { BootInfo } from './boot-info.ts'

/** Where the daemon keeps what it must not lose. */
export interface DataPlace {
  directory: string
  /** `memory`: the data partition cannot be written, and what happens now is lost when the box is switched off. */
  state: 'disk' | 'memory'
  /** For people: what is wrong with the partition. */
  why?: string | undefined
  /** The partition may come back (it was full): worth another look. */
  mayReturn: boolean
}

export interface DataPaths {
  /** On the data partition. */
  disk: string
  /** In memory: the copy that is used instead. */
  memory: string
  /** In memory: says that the disk failed in this boot. */
  marker: string
}

const STORE = 'appliance.sqlite'
const COPIED = [STORE, `${STORE}-wal`, 'keys', 'ssh', 'page', 'clock']
const PROBE_BYTES = 256 * 1024
/** A disk that was full must have this much room again before it is trusted. */
const ROOM_BYTES = 32 * 1024 * 1024

/**
 * The directory to work in. A partition that does not take a write and a sync is copied into memory, as far as it can be read (artifacts
 * stay where they are), and the copy is used until the box starts anew or `bringBack` was called: services go on.
 */
export function prepareData(boot: Pick<BootInfo, 'data'>, paths: DataPaths): DataPlace {
  const { disk, memory, marker } = paths
  if (boot.data.state === 'memory') {
    mkdirSync(disk, { recursive: true, mode: 0o700 }) // a tmpfs already
    return { directory: disk, state: 'memory', why: boot.data.why ?? 'the data partition could not be mounted', mayReturn: false }
  }
  const failure = existsSync(marker) ? readFileSync(marker, 'utf8').trim() : probe(disk)
  if (failure === undefined) return { directory: disk, state: 'disk', mayReturn: false }
  if (!existsSync(memory)) copyToMemory(disk, memory)
  return { directory: memory, state: 'memory', why: explain(failure, boot), mayReturn: boot.data.state === 'ok' }
}

/** Remembers for this boot that the disk failed; the next `prepareData` works in memory. */
export function markFailed(paths: DataPaths, why: string): void {
  writeFileSync(paths.marker, `${why}\n`, { mode: 0o600 })
}

/** Whether the disk takes writes again and has room for them. */
export function isBack(paths: DataPaths): boolean {
  try {
    const { bavail, bsize } = statfsSync(paths.disk)
    return bavail * bsize >= ROOM_BYTES && probe(paths.disk) === undefined
  } catch {
    return false
  }
}

/**
 * Puts the copy in memory in the disk's place; call it once the store is closed. `settle` empties the write-ahead log of the old store, which
 * must never meet the new one. Throws when the disk fails again; the copy in memory then stays what counts.
 */
export function bringBack(paths: DataPaths, settle: (store: string) => void): void {
  const { disk, memory, marker } = paths
  const target = join(disk, STORE)
  settle(target)
  for (const rest of ['-wal', '-shm']) rmSync(`${target}${rest}`, { force: true })
  const fresh = `${target}.new`
  writeAndSync(fresh, readFileSync(join(memory, STORE)))
  renameSync(fresh, target)
  for (const name of COPIED.filter((one) => !one.startsWith(STORE)))
    if (existsSync(join(memory, name)) && !existsSync(join(disk, name))) cpSync(join(memory, name), join(disk, name), { recursive: true })
  syncPathNow(disk)
  rmSync(memory, { recursive: true })
  rmSync(marker, { force: true })
}

/** Writes, syncs and removes a file; what went wrong, or undefined. */
function probe(directory: string): string | undefined {
  const path = join(directory, 'probe')
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeAndSync(path, Buffer.alloc(PROBE_BYTES, 'probe'))
    rmSync(path)
    return undefined
  } catch (error) {
    try {
      rmSync(path, { force: true })
    } catch {
      // told by the first error
    }
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

function copyToMemory(disk: string, memory: string): void {
  const fresh = `${memory}.new`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true, mode: 0o700 })
  for (const name of COPIED)
    try {
      cpSync(join(disk, name), join(fresh, name), { recursive: true, preserveTimestamps: true })
    } catch {
      rmSync(join(fresh, name), { recursive: true, force: true }) // missing, or not to be read: the box begins there anew
    }
  if (existsSync(join(disk, 'artifacts'))) symlinkSync(join(disk, 'artifacts'), join(fresh, 'artifacts'))
  renameSync(fresh, memory)
}

function writeAndSync(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', 0o600)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

const WORDS: Record<string, string> = {
  ENOSPC: 'the data partition is full',
  SQLITE_FULL: 'the data partition is full',
  EDQUOT: 'the data partition is full',
  EROFS: 'the data partition is read-only',
  SQLITE_READONLY: 'the data partition is read-only',
  EIO: 'the data partition fails (I/O error)',
  SQLITE_IOERR: 'the data partition fails (I/O error)',
}

function explain(code: string, { data }: Pick<BootInfo, 'data'>): string {
  const known = Object.keys(WORDS).find((name) => code === name || code.startsWith(`${name}_`))
  const words = known === undefined ? `the data partition cannot be written (${code})` : (WORDS[known] ?? code)
  return data.state === 'read-only' && data.why !== undefined ? `${words}: ${data.why}` : words
}

/** The code of an error that says that the disk failed, not the statement: SQLite's, or the system's at a sync. */
export function diskFailure(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^(SQLITE_(FULL|IOERR|READONLY|CORRUPT|NOTADB|CANTOPEN)|ENOSPC$|EIO$|EROFS$|EDQUOT$)/.test(code) ? code : undefined
}
