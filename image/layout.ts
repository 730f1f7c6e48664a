import type { Board } from './boards.ts'

const MIB = 1_048_576
export const SECTOR_BYTES = 512

/** A partition, in bytes from the disk's beginning. */
export interface Region {
  name: 'bios' | 'boot' | 'slot-a' | 'slot-b'
  /** As Linux and GRUB count: from 1. */
  number: number
  offset: number
  bytes: number
}

const SIZES: Readonly<Record<Region['name'], number>> = { bios: 1, boot: 64, 'slot-a': 160, 'slot-b': 160 }
export const SLOT_BYTES = SIZES['slot-a'] * MIB
export const BOOT_LABEL = 'BRIDGEHEAD'

/**
 * What lies where in the image. Everything begins at a whole MiB; the last MiB of the image is for the table's second copy.
 *
 *   x86_64   1 bios | 2 boot | 3 slot-a | 4 slot-b
 *   rpi      1 boot | 2 slot-a | 3 slot-b
 */
export function regionsOf(board: Board): Region[] {
  const names: Region['name'][] = ['boot', 'slot-a', 'slot-b']
  if (board === 'x86_64') names.unshift('bios')
  let offset = MIB
  return names.map((name, index) => {
    const region = { name, number: index + 1, offset, bytes: SIZES[name] * MIB }
    offset += region.bytes
    return region
  })
}

/** Throws RangeError where the board has no such partition. */
export function regionOf(board: Board, name: Region['name']): Region {
  const found = regionsOf(board).find((region) => region.name === name)
  if (!found) throw new RangeError(`board ${board} has no partition "${name}"`)
  return found
}

export function imageBytes(board: Board): number {
  const last = regionOf(board, 'slot-b')
  return last.offset + last.bytes + MIB
}

/**
 * Where the data partition begins, which the first boot adds (root/etc/rcS). Behind the image's end, so that flashing a card again
 * touches nothing of it.
 */
export function dataOffset(board: Board): number {
  return imageBytes(board) + MIB
}
