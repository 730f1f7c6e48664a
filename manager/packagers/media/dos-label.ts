/** One primary partition; sectors of 512 bytes. */
export interface DosPartition {
  /** Such as 0x0c, FAT32 addressed by sector numbers. */
  type: number
  firstSector: number
  sectors: number
  /** Old firmware boots only a partition that is marked so. */
  active?: boolean
}

/**
 * A DOS partition table ("MBR"), 512 bytes, without boot code. `id`: 32 bits, the disk's name (Linux: PARTUUID begins with it).
 * Throws RangeError for more than four partitions, overlapping ones, or one that begins in the label itself.
 *
 *   0 ... 439    440      444   446 ... 509              510
 *   boot code    disk id  0     4 entries of 16 bytes    55 aa
 */
export function encodeDosLabel({ id, partitions }: { id: number; partitions: readonly DosPartition[] }): Uint8Array {
  if (partitions.length > 4) throw new RangeError(`a DOS label holds 4 partitions, got ${partitions.length}`)
  const label = new Uint8Array(512)
  const view = new DataView(label.buffer)
  view.setUint32(440, id, true)
  let free = 1
  for (const { firstSector, sectors } of [...partitions].sort((one, other) => one.firstSector - other.firstSector)) {
    if (firstSector < free || sectors < 1 || firstSector + sectors > 0xffffffff)
      throw new RangeError(`partition of sectors ${firstSector}+${sectors}: expected it to begin at sector ${free} or later`)
    free = firstSector + sectors
  }
  for (const [index, { type, firstSector, sectors, active }] of partitions.entries()) {
    const at = 446 + 16 * index
    // Cylinders, heads and sectors say "too far for me": who reads them takes the sector numbers instead, and nothing here needs a geometry.
    label.set([active ? 0x80 : 0, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff], at)
    view.setUint32(at + 8, firstSector, true)
    view.setUint32(at + 12, sectors, true)
  }
  label.set([0x55, 0xaa], 510)
  return label
}
