import { z } from 'zod'

/** What can be had, and where SYSLINUX's make leaves it, below `bios/`. */
export const SYSLINUX_FILES = {
  'pxelinux.0': 'core/pxelinux.0',
  'lpxelinux.0': 'core/lpxelinux.0',
  'isolinux.bin': 'core/isolinux.bin',
  'isolinux-debug.bin': 'core/isolinux-debug.bin',
  'ldlinux.c32': 'com32/elflink/ldlinux/ldlinux.c32',
  'libcom32.c32': 'com32/lib/libcom32.c32',
  'libutil.c32': 'com32/libutil/libutil.c32',
  'menu.c32': 'com32/menu/menu.c32',
  'vesamenu.c32': 'com32/menu/vesamenu.c32',
  'linux.c32': 'com32/modules/linux.c32',
  'chain.c32': 'com32/chain/chain.c32',
  'reboot.c32': 'com32/modules/reboot.c32',
  'poweroff.c32': 'com32/modules/poweroff.c32',
  'ifcpu64.c32': 'com32/modules/ifcpu64.c32',
  'pxechn.c32': 'com32/modules/pxechn.c32',
  'mbr/mbr.bin': 'mbr/mbr.bin',
  'mbr/gptmbr.bin': 'mbr/gptmbr.bin',
  'mbr/isohdpfx.bin': 'mbr/isohdpfx.bin',
  'mbr/isohdppx.bin': 'mbr/isohdppx.bin',
} as const
export const SyslinuxFile = z.enum(Object.keys(SYSLINUX_FILES) as [keyof typeof SYSLINUX_FILES, ...(keyof typeof SYSLINUX_FILES)[]])
export type SyslinuxFile = z.infer<typeof SyslinuxFile>

export const syslinuxRequestShape = {
  builder: z.literal('syslinux'),
  /** All of them when left out. */
  targets: z
    .array(SyslinuxFile)
    .min(1, 'expected at least one file')
    .max(SyslinuxFile.options.length)
    .default(SyslinuxFile.options)
    .transform((list) => SyslinuxFile.options.filter((file) => list.includes(file))),
}
