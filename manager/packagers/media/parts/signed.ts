import type { PartSpec } from './spec.ts'

// Debian 12's GRUB (2.06) takes no port in an http address.
const COMMON = { components: ['main'], suites: ['trixie', undefined, 'sid'] } as const
const oldGrub = (version: string) => (/^1\+2\.0/.test(version) ? 'it is too old; expected GRUB 2.12 or newer' : undefined)

/** Debian's chain for Secure Boot: shim, signed by Microsoft, and GRUB's network image, signed by Debian. */
export const SIGNED_PARTS = {
  'shim-x86_64': {
    ...COMMON,
    name: 'shim-x86_64',
    package: 'shim-signed',
    architecture: 'amd64',
    files: { 'shimx64.efi': ['usr/lib/shim/shimx64.efi.signed'] },
  },
  'grub-signed-x86_64': {
    ...COMMON,
    name: 'grub-signed-x86_64',
    package: 'grub-efi-amd64-signed',
    architecture: 'amd64',
    files: { 'grubx64.efi': ['usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'] },
    refuse: oldGrub,
  },
  'shim-arm64': {
    ...COMMON,
    name: 'shim-arm64',
    package: 'shim-signed',
    architecture: 'arm64',
    files: { 'shimaa64.efi': ['usr/lib/shim/shimaa64.efi.signed'] },
  },
  'grub-signed-arm64': {
    ...COMMON,
    name: 'grub-signed-arm64',
    package: 'grub-efi-arm64-signed',
    architecture: 'arm64',
    files: { 'grubaa64.efi': ['usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed'] },
    refuse: oldGrub,
  },
} as const satisfies Record<string, PartSpec>
