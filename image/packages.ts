/** A Debian package, and which of its files are wanted: paths or patterns without a leading slash (`*`: any characters of one name, `**`: any). */
export interface PackagePick {
  name: string
  files: readonly string[]
  /** Files that get another name: new -> as the package has it. */
  renamed?: Readonly<Record<string, string>>
}

/** Debian release that the packages are of. */
export const SUITE = 'trixie'
export const COMPONENTS = ['main', 'non-free-firmware'] as const

/** Only its libraries, as far as a chosen program needs them. */
const libraries = (...names: string[]): PackagePick[] => names.map((name) => ({ name, files: [] }))

/** What a slot holds besides kernel, Node and the daemon. Libraries follow by what the programs name (elf.ts). */
export const COMMON_PACKAGES: readonly PackagePick[] = [
  { name: 'busybox-static', files: ['usr/bin/busybox'] },
  { name: 'nftables', files: ['usr/sbin/nft'] },
  { name: 'wireguard-tools', files: ['usr/bin/wg'] },
  { name: 'wireguard-go', files: ['usr/bin/wireguard-go'] },
  { name: 'iproute2', files: ['usr/bin/ip'] },
  { name: 'e2fsprogs', files: ['usr/sbin/mke2fs', 'usr/sbin/e2fsck', 'usr/sbin/tune2fs', 'etc/mke2fs.conf'] },
  { name: 'util-linux', files: ['usr/bin/setpriv', 'usr/bin/partx'] },
  { name: 'fdisk', files: ['usr/sbin/sfdisk'] },
  { name: 'dosfstools', files: ['usr/sbin/fsck.fat'] },
  { name: 'libc6', files: ['usr/lib64/ld-linux-x86-64.so.2', 'usr/lib/ld-linux-aarch64.so.1'] },
  ...libraries(
    ...['libblkid1', 'libbpf1', 'libbsd0', 'libcap-ng0', 'libcap2', 'libcom-err2', 'libedit2', 'libelf1t64', 'libext2fs2t64', 'libfdisk1'],
    ...['libgcc-s1', 'libgmp10', 'libjansson4', 'libmd0', 'libmnl0', 'libnftables1', 'libnftnl11', 'libpcre2-8-0', 'libreadline8t64'],
    ...['libselinux1', 'libsmartcols1', 'libss2', 'libstdc++6', 'libtinfo6', 'libuuid1', 'libxtables12', 'libzstd1', 'zlib1g'],
  ),
]

/** Wi-Fi of the Raspberry Pi: the chips of models 3, 4, 5 and of their Zero and compute relatives. */
export const RPI_PACKAGES: readonly PackagePick[] = [
  { name: 'wpasupplicant', files: ['usr/sbin/wpa_supplicant'] },
  {
    name: 'firmware-brcm80211',
    files: [
      ...['bin', 'clm_blob', 'raspberrypi,*'].map((end) => `usr/lib/firmware/brcm/brcmfmac43430-sdio.${end}`),
      ...['bin', 'clm_blob', 'raspberrypi,*'].map((end) => `usr/lib/firmware/brcm/brcmfmac43455-sdio.${end}`),
    ],
  },
  // The kernel takes the one that is signed by the people who keep the list.
  {
    name: 'wireless-regdb',
    files: [],
    renamed: {
      'usr/lib/firmware/regulatory.db': 'usr/lib/firmware/regulatory.db-upstream',
      'usr/lib/firmware/regulatory.db.p7s': 'usr/lib/firmware/regulatory.db.p7s-upstream',
    },
  },
  ...libraries('libdbus-1-3', 'libnl-3-200', 'libnl-genl-3-200', 'libnl-route-3-200', 'libpcsclite1', 'libssl3t64', 'libsystemd0'),
]

/** Kernel, modules (module choice: modules.ts) and device trees. */
export const KERNEL_FILES = [
  'boot/vmlinuz-*',
  'usr/lib/modules/*/vmlinuz',
  'usr/lib/modules/*/modules.builtin*',
  'usr/lib/modules/*/modules.order',
]

export const X86_BOOT: readonly PackagePick[] = [
  { name: 'grub-pc-bin', files: ['usr/lib/grub/i386-pc/**'] },
  { name: 'grub-efi-amd64-bin', files: ['usr/lib/grub/x86_64-efi/**'] },
]
export const RPI_BOOT: readonly PackagePick[] = [
  { name: 'grub-efi-arm64-bin', files: ['usr/lib/grub/arm64-efi/**'] },
  { name: 'raspi-firmware', files: ['usr/lib/raspi-firmware/*'] },
  {
    name: 'u-boot-rpi',
    files: ['usr/lib/u-boot/rpi_3/u-boot.bin', 'usr/lib/u-boot/rpi_4/u-boot.bin', 'usr/lib/u-boot/rpi_arm64/u-boot.bin'],
  },
]

/** Programs that build the image. They too come from this very Debian release, so that every machine makes the same bytes. */
export const TOOL_PACKAGES = [
  ...['squashfs-tools', 'grub-common', 'kmod', 'dosfstools', 'mtools', 'zstd', 'xz-utils'],
  ...['binutils-common', 'binutils-x86-64-linux-gnu', 'binutils-aarch64-linux-gnu'],
  ...['libbinutils', 'libc6', 'libctf-nobfd0', 'libctf0', 'libdevmapper1.02.1', 'libgcc-s1', 'libgprofng0', 'libjansson4', 'libkmod2'],
  ...['liblz4-1', 'liblzma5', 'liblzo2-2', 'libpcre2-8-0', 'libselinux1', 'libsframe1', 'libssl3t64', 'libstdc++6', 'libudev1', 'libzstd1'],
  ...['libcap2', 'zlib1g'],
] as const
