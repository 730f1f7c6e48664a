/** What lies on a Raspberry Pi's card, by its path there. Pure. */

/** Files of Debian's packages, by the names that `parts/pi.ts` gives them. */
export const PI_FIRMWARE = ['bootcode.bin', 'fixup.dat', 'fixup4.dat', 'start.elf', 'start4.elf'] as const
export const PI_U_BOOT = ['u-boot-rpi-3.bin', 'u-boot-rpi-4.bin', 'u-boot-rpi-arm64.bin'] as const
/** Boards of the families that Debian's kernel knows by these beginnings. */
export const PI_DEVICE_TREE = /^bcm(2837|2711|2712)(-d)?-rpi-[\w-]+\.dtb$/

/**
 * What the firmware reads first. A section counts for the models that it names until the next one. Model 3 and the Zero 2 have one chip;
 * model 5 gets U-Boot for all boards, because the package has none of its own for it.
 */
export const configTxt = (next: string) => `# Raspberry Pi firmware -> U-Boot -> ${next}
[all]
arm_64bit=1
# The device trees here are those of the upstream kernel, under its names.
upstream_kernel=1
# Without this the serial port's clock follows the processor's and its text is garbled.
enable_uart=1
kernel=u-boot-rpi-arm64.bin

[pi3]
kernel=u-boot-rpi-3.bin

[pi02]
kernel=u-boot-rpi-3.bin

[pi4]
kernel=u-boot-rpi-4.bin

[pi5]
# U-Boot does not carry the mark by which this model's firmware knows a kernel made for it.
os_check=0

[all]
`

/** Where U-Boot is the last before iPXE. */
export const CONFIG_TXT = configTxt('efi/boot/bootaa64.efi (iPXE) -> autoexec.ipxe')

/** Path on the card -> name of the part's file. Throws TypeError naming what is missing among `names`. */
export function piLayout(names: readonly string[]): Record<string, string> {
  const missing: string[] = [...PI_FIRMWARE, ...PI_U_BOOT].filter((name) => !names.includes(name))
  const trees = names.filter((name) => PI_DEVICE_TREE.test(name)).sort()
  for (const chip of ['bcm2837', 'bcm2711', 'bcm2712']) if (!trees.some((name) => name.startsWith(chip))) missing.push(`${chip}-rpi-*.dtb`)
  if (missing.length > 0) throw new TypeError(`parts for the Raspberry Pi lack ${missing.join(', ')}`)
  return Object.fromEntries([
    ...[...PI_FIRMWARE, ...PI_U_BOOT].map((name) => [name, name]),
    ...trees.map((name) => [name, name]), // where the firmware looks
    ...trees.map((name) => [`dtb/broadcom/${name}`, name]), // where U-Boot looks: without one it starts no EFI program
  ])
}
