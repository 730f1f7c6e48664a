import { createHash } from 'node:crypto'
import type { CpuArch } from '@bridgehead/shared/model/state.ts'
import { PARTITION_TYPES, type Partition, SECTOR_BYTES } from './gpt.ts'

const MIB = 1_048_576

/** Where everything lies on a host's disk, in bytes: GRUB's second stage for BIOS, the EFI system partition, the root. */
export const LAYOUT = {
  biosBoot: { offset: MIB, bytes: MIB },
  esp: { offset: 2 * MIB, bytes: 16 * MIB },
  root: { offset: 18 * MIB },
  /** Room behind the root for the table's second copy, and for 1 MiB alignment. */
  tail: MIB,
} as const

export function diskBytes(rootMiB: number): number {
  return LAYOUT.root.offset + rootMiB * MIB + LAYOUT.tail
}

/** UUIDs of the disk, its partitions, and the root's file system. */
export interface DiskIds {
  disk: string
  biosBoot: string
  esp: string
  root: string
  fileSystem: string
}

/** The same for the same recipe. */
export function diskIds(hash: string): DiskIds {
  const uuid = (name: string) => {
    const bytes = createHash('sha256').update(`${name} ${hash}`).digest().subarray(0, 16)
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80 // RFC 9562 §5.8: made by a rule of our own
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  return { disk: uuid('disk'), biosBoot: uuid('bios-boot'), esp: uuid('esp'), root: uuid('root'), fileSystem: uuid('file system') }
}

/** The root comes last, so that it can grow. Its type lets any tool find it, by architecture. */
export function partitionsOf({ architecture, rootMiB, ids }: { architecture: CpuArch; rootMiB: number; ids: DiskIds }): Partition[] {
  const span = (offset: number, bytes: number) => ({ first: offset / SECTOR_BYTES, last: (offset + bytes) / SECTOR_BYTES - 1 })
  return [
    { type: PARTITION_TYPES.biosBoot, id: ids.biosBoot, name: 'bios-boot', ...span(LAYOUT.biosBoot.offset, LAYOUT.biosBoot.bytes) },
    { type: PARTITION_TYPES.esp, id: ids.esp, name: 'esp', ...span(LAYOUT.esp.offset, LAYOUT.esp.bytes) },
    { type: PARTITION_TYPES[`root-${architecture}`], id: ids.root, name: 'root', ...span(LAYOUT.root.offset, rootMiB * MIB) },
  ]
}

/**
 * GRUB's two BIOS stages, made ready to be written by hand (what grub-install's setup program does):
 * boot.img, 440 bytes in sector 0, learns at 0x5c where core.img begins; core.img's first sector learns at 0x1f4 where its
 * second sector lies. Both are 64-bit little-endian sector numbers. Throws RangeError when core.img does not fit.
 */
export function patchBiosBoot({ bootImg, coreImg }: { bootImg: Uint8Array; coreImg: Uint8Array }): { boot: Uint8Array; core: Uint8Array } {
  if (bootImg.length !== SECTOR_BYTES) throw new RangeError(`expected a boot.img of ${SECTOR_BYTES} bytes, got ${bootImg.length}`)
  if (coreImg.length > LAYOUT.biosBoot.bytes)
    throw new RangeError(`core.img has ${coreImg.length} bytes; room is for ${LAYOUT.biosBoot.bytes}`)
  const sector = BigInt(LAYOUT.biosBoot.offset / SECTOR_BYTES)
  const boot = bootImg.slice(0, 440)
  const core = coreImg.slice()
  new DataView(boot.buffer).setBigUint64(0x5c, sector, true)
  new DataView(core.buffer).setBigUint64(0x1f4, sector + 1n, true)
  return { boot, core }
}
