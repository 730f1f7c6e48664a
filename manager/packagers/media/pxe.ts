import type { IpxeTarget } from '../../builders/ipxe/request.ts'

/** Option 93 of PXE clients (RFC 4578 §2.1; IANA registry "Processor Architecture Types") -> loaders that fit, best first. */
const ARCHITECTURES: readonly { codes: readonly number[]; name: string; targets: readonly IpxeTarget[] }[] = [
  { codes: [0x00], name: 'BIOS x86', targets: ['bin/undionly.kpxe'] },
  { codes: [0x07, 0x09], name: 'UEFI x86_64', targets: ['bin-x86_64-efi/snponly.efi', 'bin-x86_64-efi/ipxe.efi'] },
  { codes: [0x10], name: 'UEFI x86_64 by HTTP', targets: ['bin-x86_64-efi/snponly.efi', 'bin-x86_64-efi/ipxe.efi'] },
  { codes: [0x0b], name: 'UEFI arm64', targets: ['bin-arm64-efi/snponly.efi', 'bin-arm64-efi/ipxe.efi'] },
  { codes: [0x13], name: 'UEFI arm64 by HTTP', targets: ['bin-arm64-efi/snponly.efi', 'bin-arm64-efi/ipxe.efi'] },
]

/** What each loader is called in the set. */
export const FILE_NAMES: Record<IpxeTarget, string> = {
  'bin/undionly.kpxe': 'undionly.kpxe',
  'bin/ipxe.pxe': 'ipxe.pxe',
  'bin/ipxe.lkrn': 'ipxe.lkrn',
  'bin-x86_64-efi/snponly.efi': 'snponly-x86_64.efi',
  'bin-x86_64-efi/ipxe.efi': 'ipxe-x86_64.efi',
  'bin-arm64-efi/snponly.efi': 'snponly-arm64.efi',
  'bin-arm64-efi/ipxe.efi': 'ipxe-arm64.efi',
}

/** Option 93 (decimal) -> file, for the loaders that are there. */
export function archMap(loaders: ReadonlyMap<IpxeTarget, unknown>): Record<string, { name: string; file: string }> {
  return Object.fromEntries(
    ARCHITECTURES.flatMap(({ codes, name, targets }) => {
      const target = targets.find((one) => loaders.has(one))
      return target === undefined ? [] : codes.map((code) => [String(code), { name, file: FILE_NAMES[target] }])
    }),
  )
}
