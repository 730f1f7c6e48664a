import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeDosLabel } from './dos-label.ts'
import { scriptFile } from './efi-files.ts'
import { MediaError } from './error.ts'
import { type FatFiles, writeFat } from './fat.ts'
import type { Maker, MediaInputs } from './maker.ts'
import { CONFIG_TXT, piLayout } from './pi-files.ts'
import { withoutHalts } from './pi-loader.ts'

const MIB = 1_048_576
const SECTOR_BYTES = 512
const PARTS = ['pi-firmware', 'pi-u-boot', 'pi-device-trees'] as const
/** FAT32 has 65,525 clusters at least; with fewer it would be read as FAT16. The files take 9 MiB, the rest is the operator's. */
const FAT_BYTES = 40 * MIB

/**
 * An image for the SD card of a Raspberry Pi 3, 4 or 5: firmware, U-Boot, and iPXE as its UEFI program. The label is DOS's, because the
 * Pi 3's boot ROM knows no other. Throws MediaError, TypeError when a part lacks something, ExecaError, or the signal's reason.
 *
 *   0 DOS label | 1 MiB FAT32, 40 MiB
 */
export const makePi: Maker = async (inputs) => {
  const { name, workDirectory, signal, uuid } = inputs
  const path = join(workDirectory, `${name}-pi.img`)
  const id = uuid('pi').slice(0, 8)
  const stage = join(workDirectory, 'card')
  const files = await filesOf(inputs)
  await writeFat({ image: path, offset: MIB, bytes: FAT_BYTES, type: 32, label: 'BRIDGEHEAD', id, files, stage, signal })
  const partition = { type: 0x0c, firstSector: MIB / SECTOR_BYTES, sectors: FAT_BYTES / SECTOR_BYTES, active: true }
  const label = encodeDosLabel({ id: Number.parseInt(id, 16), partitions: [partition] })
  const file = await open(path, 'r+')
  await file.write(label, 0, label.length, 0).finally(() => file.close())
  return [{ name: `${name}-pi.img`, path }]
}

async function filesOf({ loaders, part, script }: MediaInputs): Promise<FatFiles> {
  const loader = loaders.get('bin-arm64-efi/ipxe.efi')
  if (!loader)
    throw new MediaError('a Raspberry Pi boots iPXE for arm64; expected "arm64" among architectures', { field: ['architectures'] })
  const sources = new Map<string, string>()
  for (const one of await Promise.all(PARTS.map(part))) for (const file of Object.keys(one.part.files)) sources.set(file, one.path(file))
  const layout = Object.entries(piLayout([...sources.keys()])).map(([to, from]) => [to, sources.get(from) ?? ''] as const)
  return {
    ...Object.fromEntries(layout),
    'config.txt': new TextEncoder().encode(CONFIG_TXT),
    'efi/boot/bootaa64.efi': withoutHalts(await readFile(loader.path)),
    ...(loader.embedded ? {} : scriptFile(script)),
  }
}
