import { z } from 'zod'

/** GRUB's platforms, as its configure names them, and how each image of them is made. */
export const GRUB_PLATFORMS = ['i386-pc', 'x86_64-efi', 'arm64-efi'] as const
export type GrubPlatform = (typeof GRUB_PLATFORMS)[number]

/** Images that can be made, and grub-mkimage's name of their format. */
export const GRUB_TARGETS = {
  'i386-pc/core.img': { platform: 'i386-pc', format: 'i386-pc' },
  'i386-pc/grub.pxe': { platform: 'i386-pc', format: 'i386-pc-pxe' },
  'i386-pc/eltorito.img': { platform: 'i386-pc', format: 'i386-pc-eltorito' },
  'x86_64-efi/grubx64.efi': { platform: 'x86_64-efi', format: 'x86_64-efi' },
  'arm64-efi/grubaa64.efi': { platform: 'arm64-efi', format: 'arm64-efi' },
} as const satisfies Record<string, { platform: GrubPlatform; format: string }>
export const GrubTarget = z.enum(Object.keys(GRUB_TARGETS) as [keyof typeof GRUB_TARGETS, ...(keyof typeof GRUB_TARGETS)[]])
export type GrubTarget = z.infer<typeof GrubTarget>

/** Enough to fetch a configuration over the network or from a disk and to boot what it says. */
const COMMON_MODULES = [
  ...['boot', 'cat', 'chain', 'configfile', 'echo', 'fat', 'gzio', 'http', 'iso9660', 'linux', 'loadenv', 'ls', 'minicmd', 'net', 'normal'],
  ...['part_gpt', 'part_msdos', 'reboot', 'halt', 'regexp', 'search', 'serial', 'sleep', 'test', 'tftp', 'true'],
]
const PLATFORM_MODULES: Record<GrubPlatform, readonly string[]> = {
  'i386-pc': ['biosdisk', 'pxe'],
  // efinet hangs elsewhere; on i386-pc it must not be loaded.
  'x86_64-efi': ['efinet', 'efi_gop', 'all_video'],
  'arm64-efi': ['efinet', 'efi_gop', 'all_video'],
}
export const defaultModules = (platform: GrubPlatform): string[] => [...COMMON_MODULES, ...PLATFORM_MODULES[platform]].sort()

const unique = <T>(list: readonly T[]) => [...new Set(list)].sort()

export const grubRequestShape = {
  builder: z.literal('grub'),
  targets: z
    .array(GrubTarget)
    .min(1, 'expected at least one target')
    .max(GrubTarget.options.length)
    .transform((list) => GrubTarget.options.filter((target) => list.includes(target))),
  /** Modules by name, without `.mod`; what they need themselves comes along. Without it, a set that boots by network and from disk. */
  modules: z
    .array(z.string().regex(/^[a-z0-9_]{1,40}$/, 'expected the name of a GRUB module, such as http'))
    .max(300)
    .transform(unique)
    .optional(),
  /** Where GRUB looks for its files at run time. */
  prefix: z
    .string()
    .regex(/^[\w(),./:$-]{1,128}$/, 'expected a GRUB path such as (tftp)/grub or /boot/grub')
    .default('/boot/grub'),
  /** Early configuration, run before anything else; without it GRUB reads `grub.cfg` below the prefix. */
  config: z.string().max(65_536, 'expected at most 64 KiB').optional(),
}
