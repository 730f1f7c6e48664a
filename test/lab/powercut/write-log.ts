import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

// The log of a disk's writes as QEMU's driver `blklogwrites` keeps it, in the order in which the disk had done them
// (the format of Linux' dm-log-writes, Documentation/admin-guide/device-mapper/log-writes.rst; all numbers little-endian):
//
//   sector 0:     magic u64 | version u64 | number of entries u64 | sector size u32 | zeros
//   each entry:   sector u64 | sectors u64 | flags u64 | data length u64 (0 at QEMU) | zeros to the sector's end | data of a write
//
// A flush has no data. QEMU logs it before anything that was still under way, so a flush covers exactly the writes that stand before it.

const MAGIC = 0x6a736677736872n
const VERSION = 1n
const FLAG = { flush: 1, fua: 2, discard: 4, mark: 8 } as const
const ALL_FLAGS = 15
const ENTRY_BYTES = 32

export interface LogEntry {
  kind: 'write' | 'flush' | 'discard'
  /** A write that is durable by itself (force unit access). */
  fua: boolean
  /** Byte offset on the disk, and length there. */
  offset: number
  bytes: number
  /** Where the data lies in the log, and where the log went on. */
  data: number
  end: number
}

export interface WriteLog {
  readonly sectorBytes: number
  readonly entries: readonly LogEntry[]
  /** The bytes that entry `index` wrote; empty where it wrote none. */
  data(index: number): Buffer
  close(): void
}

/** Something that was to be a write log is none. */
export class WriteLogError extends Error {
  readonly code = 'write-log'
}

/** How the index reads its file: fills `into` from `at` and says how many bytes there were. */
export type ReadAt = (into: Buffer, at: number) => number

/**
 * Finds all entries. QEMU counts them in the first sector at a flush only, and one that was killed leaves a last entry without all of its
 * data: the index ends before the first entry that is not whole. Throws WriteLogError on a file that is no log.
 */
export function indexLog(read: ReadAt, fileBytes: number): { sectorBytes: number; entries: LogEntry[] } {
  const head = Buffer.alloc(ENTRY_BYTES)
  if (read(head, 0) < ENTRY_BYTES || head.readBigUInt64LE(0) !== MAGIC) throw new WriteLogError('no write log: wrong magic')
  if (head.readBigUInt64LE(8) !== VERSION) throw new WriteLogError(`a write log of version ${head.readBigUInt64LE(8)}`)
  const sectorBytes = head.readUInt32LE(24)
  if (sectorBytes < 512 || sectorBytes % 512 !== 0) throw new WriteLogError(`sectors of ${sectorBytes} bytes`)
  const entries: LogEntry[] = []
  for (let at = sectorBytes; at + sectorBytes <= fileBytes; ) {
    if (read(head, at) < ENTRY_BYTES) break
    const entry = decodeEntry(head, at, sectorBytes)
    if (!entry || entry.end > fileBytes) break
    entries.push(entry)
    at = entry.end
  }
  return { sectorBytes, entries }
}

/** Undefined for zeros: a place that was taken, and not written when QEMU went. */
function decodeEntry(head: Buffer, at: number, sectorBytes: number): LogEntry | undefined {
  const flags = head.readUInt32LE(16)
  if (flags > ALL_FLAGS) throw new WriteLogError(`unknown flags ${flags} in the entry at ${at}`)
  const bytes = Number(head.readBigUInt64LE(8)) * sectorBytes
  const kind = flags & FLAG.flush ? 'flush' : flags & FLAG.discard ? 'discard' : 'write'
  if (kind === 'write' && bytes === 0) return undefined
  const data = at + sectorBytes
  const fua = (flags & FLAG.fua) !== 0
  return { kind, fua, offset: Number(head.readBigUInt64LE(0)) * sectorBytes, bytes, data, end: kind === 'write' ? data + bytes : data }
}

export function openWriteLog(path: string): WriteLog {
  const fd = openSync(path, 'r')
  const { sectorBytes, entries } = indexLog((into, at) => readSync(fd, into, 0, into.length, at), fstatSync(fd).size)
  return {
    sectorBytes,
    entries,
    data(index) {
      const entry = entries[index]
      if (entry?.kind !== 'write') return Buffer.alloc(0)
      const bytes = Buffer.allocUnsafe(entry.bytes)
      if (readSync(fd, bytes, 0, bytes.length, entry.data) < bytes.length) throw new WriteLogError(`entry ${index} is cut short`)
      return bytes
    },
    close: () => closeSync(fd),
  }
}

/** The opposite, for tests: what a disk with these orders would have logged. */
export function encodeLog(orders: readonly ({ offset: number; bytes: Uint8Array } | 'flush')[], sectorBytes = 512): Buffer {
  const head = (sector: number, sectors: number, flags: number) => {
    const bytes = Buffer.alloc(sectorBytes)
    bytes.writeBigUInt64LE(BigInt(sector), 0)
    bytes.writeBigUInt64LE(BigInt(sectors), 8)
    bytes.writeBigUInt64LE(BigInt(flags), 16)
    return bytes
  }
  const first = Buffer.alloc(sectorBytes)
  first.writeBigUInt64LE(MAGIC, 0)
  first.writeBigUInt64LE(VERSION, 8)
  first.writeBigUInt64LE(BigInt(orders.length), 16)
  first.writeUInt32LE(sectorBytes, 24)
  return Buffer.concat([
    first,
    ...orders.flatMap((order) =>
      order === 'flush'
        ? [head(0, 0, FLAG.flush)]
        : [head(order.offset / sectorBytes, order.bytes.length / sectorBytes, 0), Buffer.from(order.bytes)],
    ),
  ])
}
