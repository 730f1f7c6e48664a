import { crc32 } from 'node:zlib'

export const SECTOR_BYTES = 512
const ENTRIES = 128
const ENTRY_BYTES = 128
const TABLE_SECTORS = (ENTRIES * ENTRY_BYTES) / SECTOR_BYTES

/** Partition types: UEFI 2.10 table 5.8, GRUB's BIOS boot partition, and the Discoverable Partitions Specification. */
export const PARTITION_TYPES = {
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  basicData: 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  'root-x86_64': '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  'root-arm64': 'b921b045-1df0-41c3-af44-4c6f280d3fae',
} as const

export interface Partition {
  type: string
  /** PARTUUID. */
  id: string
  name: string
  /** First and last sector, both inclusive. */
  first: number
  last: number
}

/** A piece of a disk, by its byte offset. */
export interface Piece {
  offset: number
  bytes: Uint8Array
}

/**
 * The GUID partition table of a disk (UEFI 2.10 §5.3), as the pieces to write: protective MBR, header and entries, and both again
 * at the end. The MBR's first 440 bytes stay zero, for boot code. Throws RangeError when a partition lies outside the usable sectors.
 *
 *   sector 0   1        2 ... 33   34 ...       -33 ... -2   -1
 *   MBR        header   entries    partitions   entries      header
 */
export function encodeGpt({ sectors, id, partitions }: { sectors: number; id: string; partitions: readonly Partition[] }): Piece[] {
  const firstUsable = 2 + TABLE_SECTORS
  const lastUsable = sectors - TABLE_SECTORS - 2
  for (const { name, first, last } of partitions)
    if (first < firstUsable || last > lastUsable || last < first)
      throw new RangeError(`partition "${name}" (sectors ${first}-${last}) lies outside ${firstUsable}-${lastUsable}`)
  const entries = new Uint8Array(ENTRIES * ENTRY_BYTES)
  partitions.forEach((partition, index) => entries.set(encodeEntry(partition), index * ENTRY_BYTES))
  const header = (self: number, other: number, table: number) =>
    encodeHeader({ self, other, table, firstUsable, lastUsable, id, entriesCrc: crc32(entries) })
  const end = sectors - 1
  return [
    { offset: 0, bytes: protectiveMbr(sectors) },
    { offset: SECTOR_BYTES, bytes: header(1, end, 2) },
    { offset: 2 * SECTOR_BYTES, bytes: entries },
    { offset: (end - TABLE_SECTORS) * SECTOR_BYTES, bytes: entries },
    { offset: end * SECTOR_BYTES, bytes: header(end, 1, end - TABLE_SECTORS) },
  ]
}

/** A GUID's first three fields are little-endian on disk (UEFI 2.10 appendix A). */
export function encodeGuid(text: string): Uint8Array {
  const hex = text.replaceAll('-', '')
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new RangeError(`expected a UUID, got "${text}"`)
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}

function protectiveMbr(sectors: number): Uint8Array {
  const mbr = new Uint8Array(SECTOR_BYTES)
  const view = new DataView(mbr.buffer)
  mbr.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446) // §5.2.3; not active
  view.setUint32(454, 1, true)
  view.setUint32(458, Math.min(sectors - 1, 0xffffffff), true)
  mbr.set([0x55, 0xaa], 510)
  return mbr
}

function encodeHeader(at: {
  self: number
  other: number
  table: number
  firstUsable: number
  lastUsable: number
  id: string
  entriesCrc: number
}): Uint8Array {
  const header = new Uint8Array(SECTOR_BYTES)
  const view = new DataView(header.buffer)
  header.set(new TextEncoder().encode('EFI PART'))
  view.setUint32(8, 0x00010000, true)
  view.setUint32(12, 92, true)
  view.setBigUint64(24, BigInt(at.self), true)
  view.setBigUint64(32, BigInt(at.other), true)
  view.setBigUint64(40, BigInt(at.firstUsable), true)
  view.setBigUint64(48, BigInt(at.lastUsable), true)
  header.set(encodeGuid(at.id), 56)
  view.setBigUint64(72, BigInt(at.table), true)
  view.setUint32(80, ENTRIES, true)
  view.setUint32(84, ENTRY_BYTES, true)
  view.setUint32(88, at.entriesCrc, true)
  view.setUint32(16, crc32(header.subarray(0, 92)), true) // counted with its own field zero
  return header
}

function encodeEntry({ type, id, name, first, last }: Partition): Uint8Array {
  const entry = new Uint8Array(ENTRY_BYTES)
  const view = new DataView(entry.buffer)
  entry.set(encodeGuid(type))
  entry.set(encodeGuid(id), 16)
  view.setBigUint64(32, BigInt(first), true)
  view.setBigUint64(40, BigInt(last), true)
  for (let index = 0; index < Math.min(name.length, 36); index++) view.setUint16(56 + 2 * index, name.charCodeAt(index), true)
  return entry
}
