import { stat } from 'node:fs/promises'
import type { IpxeTarget } from '../../builders/ipxe/request.ts'
import type { FatFiles } from './fat.ts'
import type { MediaInputs } from './maker.ts'

/** Where UEFI looks for a loader on a removable medium (UEFI 2.10 §3.5.1.1). */
const BOOT_FILES: readonly [IpxeTarget, string][] = [
  ['bin-x86_64-efi/ipxe.efi', 'EFI/BOOT/BOOTX64.EFI'],
  ['bin-arm64-efi/ipxe.efi', 'EFI/BOOT/BOOTAA64.EFI'],
]

/** The UEFI half of a medium; empty when the recipe wants none. */
export function efiFiles({ loaders, script }: Pick<MediaInputs, 'loaders' | 'script'>): FatFiles {
  const found = BOOT_FILES.flatMap(([target, path]) => {
    const loader = loaders.get(target)
    return loader ? [{ path, loader }] : []
  })
  if (found.length === 0) return {}
  const files = Object.fromEntries(found.map(({ path, loader }) => [path, loader.path]))
  return found.every(({ loader }) => loader.embedded) ? files : { ...files, ...scriptFile(script) }
}

/** iPXE on UEFI looks beside itself, then in the root (1.21.1: both; older: the root only). */
export function scriptFile(script: string): FatFiles {
  return { 'autoexec.ipxe': new TextEncoder().encode(script) }
}

export function sizesOf(files: FatFiles): Promise<number[]> {
  return Promise.all(Object.values(files).map(async (from) => (typeof from === 'string' ? (await stat(from)).size : from.length)))
}
