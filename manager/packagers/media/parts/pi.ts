import type { PartSpec } from './spec.ts'

const COMMON = { architecture: 'arm64', components: ['main', 'non-free-firmware'], suites: [undefined, 'trixie', 'sid'] } as const
const RASPI = 'usr/lib/raspi-firmware'
const U_BOOT = 'usr/lib/u-boot'
const TREES = 'usr/lib/linux-image-*/broadcom'

/** Boards that Debian 13's kernel knows, as it names their device trees. */
const BOARDS = [
  ...['bcm2837-rpi-3-a-plus', 'bcm2837-rpi-3-b', 'bcm2837-rpi-3-b-plus', 'bcm2837-rpi-cm3-io3', 'bcm2837-rpi-zero-2-w'],
  ...['bcm2711-rpi-4-b', 'bcm2711-rpi-400', 'bcm2711-rpi-cm4-io'],
  'bcm2712-rpi-5-b',
] as const

/** What a Raspberry Pi needs before its first UEFI program. */
export const PI_PARTS = {
  'pi-firmware': {
    ...COMMON,
    name: 'pi-firmware',
    package: 'raspi-firmware',
    architecture: 'all',
    files: {
      'bootcode.bin': [`${RASPI}/bootcode.bin`],
      'fixup.dat': [`${RASPI}/fixup.dat`],
      'fixup4.dat': [`${RASPI}/fixup4.dat`],
      'start.elf': [`${RASPI}/start.elf`],
      'start4.elf': [`${RASPI}/start4.elf`],
    },
    refuse: (version: string) => (releasedBefore(version, 2024) ? 'it is too old; expected one of 2024 or newer' : undefined),
  },
  'pi-u-boot': {
    ...COMMON,
    name: 'pi-u-boot',
    package: 'u-boot-rpi',
    files: {
      'u-boot-rpi-3.bin': [`${U_BOOT}/rpi_3/u-boot.bin`],
      'u-boot-rpi-4.bin': [`${U_BOOT}/rpi_4/u-boot.bin`],
      'u-boot-rpi-arm64.bin': [`${U_BOOT}/rpi_arm64/u-boot.bin`],
    },
    refuse: (version: string) =>
      Number.parseInt(version, 10) < 2024 ? 'it is too old; expected 2024 or newer, which knows the Raspberry Pi 5' : undefined,
  },
  'pi-device-trees': {
    ...COMMON,
    name: 'pi-device-trees',
    package: 'linux-image-arm64',
    dependency: /^linux-(image|binary)-\d\S*-arm64$/,
    files: Object.fromEntries(
      BOARDS.map((board) => [`${board}.dtb`, [`${TREES}/${board}.dtb`, `usr/lib/modules/*/dtb/broadcom/${board}.dtb`]]),
    ),
    refuse: (version: string) => {
      const [major = 0, minor = 0] = version.split('.').map(Number)
      return major < 6 || (major === 6 && minor < 12) ? 'it does not know the Raspberry Pi 5; expected 6.12 or newer' : undefined
    },
  },
} as const satisfies Record<string, PartSpec>

/** raspi-firmware's versions hold the day: 1.20240424+ds-6. */
function releasedBefore(version: string, year: number): boolean {
  return Number(/^\d+\.(\d{4})/.exec(version)?.[1] ?? 0) < year
}
