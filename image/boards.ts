import { type Board, Board as BoardName } from '@bridgehead/shared/model/release.ts'
import { COMMON_PACKAGES, KERNEL_FILES, type PackagePick, RPI_BOOT, RPI_PACKAGES, X86_BOOT } from './packages.ts'

export type { Board }
export const BOARDS = BoardName.options

/** What differs between the machines that an image is for. */
export interface BoardSpec {
  board: Board
  /** Debian's name, Node's name, and that of the C library's directories. */
  debian: 'amd64' | 'arm64'
  node: 'x64' | 'arm64'
  triplet: 'x86_64-linux-gnu' | 'aarch64-linux-gnu'
  /** Packages whose files lie in a slot, with those files. */
  root: readonly PackagePick[]
  /** Packages that the boot partition is made from. */
  boot: readonly PackagePick[]
  /** An empty package of Debian that names the kernel's; which of them are wanted; whether they come from the suite's backports. */
  kernel: { meta: string; packages: readonly RegExp[]; backports: boolean; files: readonly string[] }
  /** GRUB's platforms, with the file that each one becomes. */
  grub: readonly { platform: 'i386-pc' | 'x86_64-efi' | 'arm64-efi'; file: string }[]
  /** The filter that mksquashfs tries before xz on programs of this processor. It has none for arm64. */
  xzFilter: 'x86' | undefined
  /** Kernel parameters; the last console is the one that init talks to. */
  consoles: readonly string[]
}

export const BOARD_SPECS: Readonly<Record<Board, BoardSpec>> = {
  x86_64: {
    board: 'x86_64',
    debian: 'amd64',
    node: 'x64',
    triplet: 'x86_64-linux-gnu',
    root: COMMON_PACKAGES,
    boot: X86_BOOT,
    kernel: { meta: 'linux-image-amd64', packages: [/^linux-image-\d\S*-amd64$/], backports: false, files: KERNEL_FILES },
    grub: [
      { platform: 'i386-pc', file: 'core.img' },
      { platform: 'x86_64-efi', file: 'EFI/BOOT/BOOTX64.EFI' },
    ],
    xzFilter: 'x86',
    consoles: ['ttyS0,115200', 'tty0'],
  },
  rpi: {
    board: 'rpi',
    debian: 'arm64',
    node: 'arm64',
    triplet: 'aarch64-linux-gnu',
    root: [...COMMON_PACKAGES, ...RPI_PACKAGES],
    boot: RPI_BOOT,
    // Debian 13's own kernel has no driver for the Raspberry Pi 5's south bridge (RP1): neither network nor USB.
    kernel: {
      meta: 'linux-image-arm64',
      packages: [/^linux-(image|base|binary|modules)-\d\S*-arm64$/],
      backports: true,
      files: KERNEL_FILES,
    },
    grub: [{ platform: 'arm64-efi', file: 'EFI/BOOT/BOOTAA64.EFI' }],
    xzFilter: undefined,
    consoles: ['ttyAMA0,115200', 'ttyAMA10,115200', 'ttyS1,115200', 'tty0'],
  },
}
