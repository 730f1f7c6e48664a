import { crc32 } from 'node:zlib'
import type { CutDisk, Region } from './replayed-disk.ts'

// Which partitions a computer sees on a disk whose table may be half written (UEFI 2.10 §5.3; Linux' block/partitions/efi.c).
//
//   header: "EFI PART" | revision u32 | size u32 | CRC u32 | 0 | own sector u64 | other header's u64 | first, last usable u64 | id
//           | entries' sector u64 (72) | count u32 (80) | size u32 (84) | CRC of the entries u32 (88)

const SECTOR = 512

export interface Table {
  partitions: ReadonlyMap<string, Region>
  /** The header that counted. */
  from: 'first' | 'last'
}

/**
 * As Linux does with `gpt` on its command line: the first header, or else the one in the disk's last sector; each only if both of its
 * checksums are right. Undefined where neither is.
 */
export function readTable(disk: Pick<CutDisk, 'read' | 'bytes'>): Table | undefined {
  const first = readAt(disk, 1)
  if (first) return { partitions: first, from: 'first' }
  const last = readAt(disk, disk.bytes / SECTOR - 1)
  return last ? { partitions: last, from: 'last' } : undefined
}

function readAt(disk: Pick<CutDisk, 'read'>, sector: number): Map<string, Region> | undefined {
  const header = disk.read(sector * SECTOR, SECTOR)
  const size = header.readUInt32LE(12)
  if (header.toString('latin1', 0, 8) !== 'EFI PART' || size < 92 || size > SECTOR) return undefined
  const blank = Buffer.from(header.subarray(0, size))
  blank.writeUInt32LE(0, 16)
  if (crc32(blank) !== header.readUInt32LE(16) || Number(header.readBigUInt64LE(24)) !== sector) return undefined
  const [from, count, each] = [Number(header.readBigUInt64LE(72)), header.readUInt32LE(80), header.readUInt32LE(84)]
  if (each < 128 || count * each > MOST_BYTES) return undefined
  const entries = disk.read(from * SECTOR, count * each)
  if (crc32(entries) !== header.readUInt32LE(88)) return undefined
  const found = new Map<string, Region>()
  for (let at = 0; at < entries.length; at += each) {
    if (entries.subarray(at, at + 16).every((byte) => byte === 0)) continue
    const [begin, end] = [Number(entries.readBigUInt64LE(at + 32)), Number(entries.readBigUInt64LE(at + 40))]
    const name = entries.toString('utf16le', at + 56, at + 128).replace(/\0.*$/, '')
    found.set(name, { offset: begin * SECTOR, bytes: (end - begin + 1) * SECTOR })
  }
  return found
}
const MOST_BYTES = 1024 * 128
