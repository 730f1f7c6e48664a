import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeGpt, PARTITION_TYPES, type Piece, SECTOR_BYTES } from '../host-image/gpt.ts'
import { LAYOUT, patchBiosBoot } from '../host-image/layout.ts'
import { efiFiles, scriptFile, sizesOf } from './efi-files.ts'
import { MediaError } from './error.ts'
import { type FatFiles, roomFor, writeFat } from './fat.ts'
import type { Maker, MediaInputs } from './maker.ts'

const MIB = 1_048_576
const ESP_OFFSET = LAYOUT.esp.offset
/** Smaller ones would be FAT12, which some firmware does not read on a disk. */
const ESP_LEAST = 16 * MIB

/**
 * An image for USB sticks and disks: GPT with GRUB's second BIOS stage (it starts iPXE) and an EFI system partition with a loader for each
 * architecture. Whoever opens that partition can edit `autoexec.ipxe`. Throws ExecaError.
 *
 *   0 MBR, GPT | 1 MiB GRUB for BIOS | 2 MiB EFI system partition ... | GPT's second copy
 */
export const makeUsb: Maker = async (inputs) => {
  const { name, workDirectory, signal, uuid } = inputs
  const bios = await biosHalf(inputs)
  const files: FatFiles = { ...efiFiles(inputs), ...bios?.files }
  if (Object.keys(files).length === 0) throw new MediaError('a stick needs a loader for BIOS or UEFI', { field: ['firmware'] })
  const path = join(workDirectory, `${name}.img`)
  const espBytes = roomFor(await sizesOf(files), ESP_LEAST)
  const bytes = ESP_OFFSET + espBytes + MIB
  const id = uuid('usb-esp').slice(0, 8)
  const stage = join(workDirectory, 'esp')
  await writeFat({ image: path, offset: ESP_OFFSET, bytes: espBytes, type: 16, label: 'BRIDGEHEAD', id, files, stage, signal })
  const span = (offset: number, length: number) => ({ first: offset / SECTOR_BYTES, last: (offset + length) / SECTOR_BYTES - 1 })
  const table = encodeGpt({
    sectors: bytes / SECTOR_BYTES,
    id: uuid('usb-disk'),
    partitions: [
      { type: PARTITION_TYPES.biosBoot, id: uuid('usb-bios'), name: 'bios-boot', ...span(LAYOUT.biosBoot.offset, LAYOUT.biosBoot.bytes) },
      { type: PARTITION_TYPES.esp, id: uuid('usb-esp'), name: 'esp', ...span(ESP_OFFSET, espBytes) },
    ],
  })
  await write(path, bytes, [...table, ...(bios?.stages ?? [])])
  return [{ name: `${name}.img`, path }]
}

/** Undefined when the recipe wants no BIOS. */
async function biosHalf({ loaders, part, script }: MediaInputs): Promise<{ files: FatFiles; stages: Piece[] } | undefined> {
  const loader = loaders.get('bin/ipxe.lkrn')
  if (!loader) return undefined
  const grub = await part('grub-bios')
  const [bootImg, coreImg] = await Promise.all([readFile(grub.path('boot.img')), readFile(grub.path('core.img'))])
  const { boot, core } = patchBiosBoot({ bootImg, coreImg })
  const files: FatFiles = {
    'grub/grub.cfg': new TextEncoder().encode(grubConfig(!loader.embedded)),
    'ipxe.lkrn': loader.path,
    ...(loader.embedded ? {} : scriptFile(script)),
  }
  return {
    files,
    stages: [
      { offset: 0, bytes: boot },
      { offset: LAYOUT.biosBoot.offset, bytes: core },
    ],
  }
}

function grubConfig(withScript: boolean): string {
  return `# BIOS machines: starts iPXE${withScript ? ', and hands it the script' : ''}. UEFI machines do not read this.
linux16 /ipxe.lkrn
${withScript ? 'initrd16 /autoexec.ipxe\n' : ''}boot
echo "Bridgehead: ipxe.lkrn could not be started; the lines above say why. Restarting in 20 seconds."
sleep 20
reboot
`
}

async function write(path: string, bytes: number, pieces: readonly Piece[]): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.truncate(bytes)
    for (const piece of pieces) await file.write(piece.bytes, 0, piece.bytes.length, piece.offset)
  } finally {
    await file.close()
  }
}
