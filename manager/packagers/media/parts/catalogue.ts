import { GRUB_FILES, makeGrubStages } from './grub-bios.ts'
import { PI_PARTS } from './pi.ts'
import { SIGNED_PARTS } from './signed.ts'
import type { PartSpec } from './spec.ts'

const IPXE = 'usr/lib/ipxe'

/** Every part that a medium may take, by name: fetched only for the media that want it. */
export const PARTS = {
  ipxe: {
    name: 'ipxe',
    package: 'ipxe',
    architecture: 'all',
    components: ['main'],
    // Debian 12's is of 2019: it reads no autoexec.ipxe on UEFI, and has nothing for arm64.
    suites: [undefined, 'trixie', 'sid'],
    files: {
      'undionly.kpxe': [`${IPXE}/undionly.kpxe`],
      'ipxe.pxe': [`${IPXE}/ipxe.pxe`],
      'ipxe.lkrn': [`${IPXE}/ipxe.lkrn`],
      'ipxe-x86_64.efi': [`${IPXE}/ipxe-amd64.efi`],
      'snponly-x86_64.efi': [`${IPXE}/snponly.efi`],
      'ipxe-arm64.efi': [`${IPXE}/ipxe-arm64.efi`],
    },
    refuse: (version: string) =>
      /^(\d+:)?1\.(0|20)\./.test(version) ? 'it is too old; expected 1.21 or newer, which looks for autoexec.ipxe' : undefined,
  },
  isolinux: {
    name: 'isolinux',
    package: 'isolinux',
    architecture: 'all',
    components: ['main'],
    suites: [undefined],
    files: { 'isolinux.bin': ['usr/lib/ISOLINUX/isolinux.bin'], 'isohdpfx.bin': ['usr/lib/ISOLINUX/isohdpfx.bin'] },
  },
  syslinux: {
    name: 'syslinux',
    package: 'syslinux-common',
    architecture: 'all',
    components: ['main'],
    suites: [undefined],
    files: { 'ldlinux.c32': ['usr/lib/syslinux/modules/bios/ldlinux.c32'] },
  },
  /** GRUB's two BIOS stages for a stick: they read `grub/grub.cfg` of the boot disk's second partition. */
  'grub-bios': {
    name: 'grub-bios',
    package: 'grub-pc-bin',
    architecture: 'amd64',
    components: ['main'],
    suites: [undefined],
    files: Object.fromEntries(GRUB_FILES.map((file) => [file, [`usr/lib/grub/i386-pc/${file}`]])),
    make: { names: ['boot.img', 'core.img'], run: makeGrubStages },
  },
  ...PI_PARTS,
  ...SIGNED_PARTS,
} as const satisfies Record<string, PartSpec>
export type PartName = keyof typeof PARTS
