import { createReadStream, createWriteStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Board } from '@bridgehead/image/boards.ts'
import { imageBytes, regionOf, regionsOf, SECTOR_BYTES } from '@bridgehead/image/layout.ts'
import { encodeGpt, PARTITION_TYPES, type Partition } from '../host-image/gpt.ts'
import { patchBiosBoot } from '../host-image/layout.ts'
import { encodeDosLabel } from '../media/dos-label.ts'

/**
 * The boot partition has the type of ordinary data, so that Windows and macOS show it to the person who wants to edit bridgehead.json;
 * firmware looks for EFI/BOOT in every FAT partition of a medium.
 */
const TYPES = {
  bios: PARTITION_TYPES.biosBoot,
  boot: PARTITION_TYPES.basicData,
  'slot-a': PARTITION_TYPES.linux,
  'slot-b': PARTITION_TYPES.linux,
} as const

export interface DiskInputs {
  board: Board
  /** Holds its boot partition already. */
  image: string
  slot: string
  /** GRUB for BIOS, where the board has one: boot.img, and the core.img that grub-mkimage made. */
  bios?: { bootImg: string; coreImg: string } | undefined
  uuid(name: string): string
}

/** Writes table, GRUB's BIOS stages and slot A into the image. Slot B stays empty: the box fills it when it is healthy. */
export async function writeDisk({ board, image, slot, bios, uuid }: DiskInputs): Promise<void> {
  const sectors = imageBytes(board) / SECTOR_BYTES
  const partitions = regionsOf(board).map(
    ({ name, offset, bytes }): Partition => ({
      type: TYPES[name],
      id: uuid(name),
      name,
      first: offset / SECTOR_BYTES,
      last: (offset + bytes) / SECTOR_BYTES - 1,
    }),
  )
  const pieces = encodeGpt({ sectors, id: uuid('disk'), partitions })
  if (board === 'rpi') pieces.push({ offset: 0, bytes: hybridLabel(uuid('label').slice(0, 8)) })
  if (bios) {
    const { boot, core } = patchBiosBoot({ bootImg: await readFile(bios.bootImg), coreImg: await readFile(bios.coreImg) })
    pieces.push({ offset: 0, bytes: boot }, { offset: regionOf(board, 'bios').offset, bytes: core })
  }
  const file = await open(image, 'r+')
  try {
    await file.truncate(imageBytes(board))
    for (const { offset, bytes } of pieces) await file.write(bytes, 0, bytes.length, offset)
  } finally {
    await file.close()
  }
  await pipeline(createReadStream(slot), createWriteStream(image, { flags: 'r+', start: regionOf(board, 'slot-a').offset }))
}

/** The Raspberry Pi 3's boot ROM knows only DOS labels: here one names the boot partition beside the mark that a GPT follows. */
function hybridLabel(id: string): Uint8Array {
  const { offset, bytes } = regionOf('rpi', 'boot')
  const firstSector = offset / SECTOR_BYTES
  return encodeDosLabel({
    id: Number.parseInt(id, 16),
    partitions: [
      { type: 0x0c, firstSector, sectors: bytes / SECTOR_BYTES, active: true },
      { type: 0xee, firstSector: 1, sectors: firstSector - 1, active: false },
    ],
  })
}
