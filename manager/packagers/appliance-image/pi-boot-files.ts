import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { FatFiles } from '../media/fat.ts'
import { configTxt, piLayout } from '../media/pi-files.ts'
import type { System } from './system.ts'

/** What the Raspberry Pi's firmware and U-Boot read before GRUB. Throws TypeError naming what the packages lack. */
export async function piBootFiles(system: System): Promise<FatFiles> {
  const sources = new Map<string, string>()
  for (const folder of ['usr/lib/raspi-firmware', 'usr/lib/u-boot', 'dtb'])
    for (const entry of await readdir(join(system.directory, 'boot', folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isFile()) sources.set(nameOf(path), path)
    }
  const layout = Object.entries(piLayout([...sources.keys()])).map(([to, from]) => [to, sources.get(from) ?? ''] as const)
  return {
    ...Object.fromEntries(layout),
    'config.txt': new TextEncoder().encode(configTxt('EFI/BOOT/BOOTAA64.EFI (GRUB) -> grub/grub.cfg')),
  }
}

/** `rpi_3/u-boot.bin` becomes `u-boot-rpi-3.bin`, as media call it; others keep their names. */
function nameOf(path: string): string {
  const name = basename(path)
  return name === 'u-boot.bin' ? `u-boot-${basename(dirname(path)).replace('_', '-')}.bin` : name
}
