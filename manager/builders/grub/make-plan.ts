import { crossPrefix, crossTools } from '../cross.ts'
import type { Tool } from '../tools.ts'
import type { GrubPlatform } from './request.ts'

interface Step {
  script: string
  fraction: number
  text: string
}
export interface GrubMake {
  env: Record<string, string>
  prepare: Step[]
  dryRun: string
  make: string
  /** Share of the whole that lies before it. */
  makeFrom: number
  /** Leaves `modules.tar`. */
  pack(epoch: number): string
}

const TARGETS: Record<GrubPlatform, { target: string; platform: string; architecture: 'x86_64' | 'arm64' }> = {
  'i386-pc': { target: 'i386', platform: 'pc', architecture: 'x86_64' },
  'x86_64-efi': { target: 'x86_64', platform: 'efi', architecture: 'x86_64' },
  'arm64-efi': { target: 'aarch64', platform: 'efi', architecture: 'arm64' },
}

/** What make and configure are told. No more is built than modules and grub-mkimage: themes, fonts, translations and other tools are left out. */
export function grubMake(platform: GrubPlatform, machine: string, jobs: number): GrubMake {
  const { target, platform: firmware, architecture } = TARGETS[platform]
  const cross = crossPrefix(architecture, machine)
  const without = ['werror', 'nls', 'device-mapper', 'libzfs', 'grub-mkfont', 'grub-mount', 'grub-themes', 'grub-emu-sdl']
  const configure = [
    './configure',
    `--with-platform=${firmware}`,
    `--target=${target}`,
    ...without.map((one) => `--disable-${one}`),
    'ac_cv_lib_lzma_lzma_code=no', // or grub-mkimage would need a library
    ...(cross
      ? ['gcc', 'objcopy', 'strip', 'nm', 'ranlib'].map((tool) => `TARGET_${tool === 'gcc' ? 'CC' : tool.toUpperCase()}=${cross}${tool}`)
      : []),
  ]
  const make = `make -j${jobs}`
  return {
    env: { PYTHON: 'python3' },
    prepare: [
      // Debian patches what configure is made of, and ships the old one.
      { script: '[ ! -d debian ] && [ -x configure ] || ./autogen.sh', fraction: 0.02, text: 'generating the build system' },
      { script: configure.join(' '), fraction: 0.1, text: `configuring for ${platform}` },
    ],
    dryRun: `make -n -k -C grub-core/lib/gnulib || :; make -n -k -C grub-core || :; make -n -k grub-mkimage || :`,
    make: `${make} -C grub-core/lib/gnulib; ${make} -C grub-core; ${make} grub-mkimage LDFLAGS=-static; strip grub-mkimage`,
    makeFrom: 0.2,
    pack: (epoch) =>
      [
        'mkdir pack',
        'for file in grub-core/*.mod grub-core/*.img grub-core/*.lst grub-mkimage; do [ ! -f "$file" ] || cp "$file" pack/; done',
        `tar -C pack --sort=name --mtime=@${epoch} --owner=0 --group=0 --numeric-owner --mode=u+rwX,go=rX --format=ustar -cf modules.tar .`,
      ].join('; '),
  }
}

export function grubTools(platform: GrubPlatform, machine: string): Tool[] {
  return [
    { file: '/usr/bin/make', package: 'make' },
    { file: '/usr/bin/gcc', package: 'gcc' },
    { file: '/usr/bin/ld', package: 'binutils' },
    { file: '/usr/include/stdio.h', package: 'libc6-dev' },
    { file: '/usr/bin/autoconf', package: 'autoconf' },
    { file: '/usr/bin/automake', package: 'automake' },
    { file: '/usr/bin/autopoint', package: 'autopoint' },
    { file: '/usr/bin/msgfmt', package: 'gettext' },
    { file: '/usr/bin/bison', package: 'bison' },
    { file: '/usr/bin/flex', package: 'flex' },
    { file: '/usr/bin/pkg-config', package: 'pkg-config' },
    { file: '/usr/bin/python3', package: 'python3' },
    ...crossTools(crossPrefix(TARGETS[platform].architecture, machine)),
  ]
}
