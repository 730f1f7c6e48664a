import type { ResolvedRecipe } from '../recipe.ts'

/** Debian's name of the kernel package. */
export function kernelPackage({ kernel, architecture }: Pick<ResolvedRecipe, 'kernel' | 'architecture'>): string {
  const debian = { x86_64: 'amd64', arm64: 'arm64' }[architecture]
  return kernel === 'cloud' ? `linux-image-cloud-${debian}` : `linux-image-${debian}`
}

/** What every host has: init, network, SSH, apt, and the tools that the first boot and the site's scripts use. */
const BASE = [
  'systemd',
  'systemd-sysv',
  'udev',
  'openssh-server',
  'iproute2',
  'fdisk', // sfdisk, for growing the root partition
  'e2fsprogs',
  'kmod',
  'initramfs-tools',
  'zstd',
  'procps',
  'ca-certificates',
]

export function packagesOf(recipe: ResolvedRecipe): string[] {
  const wanted = [...BASE, kernelPackage(recipe), ...recipe.packages]
  if (recipe.locale !== 'C.UTF-8') wanted.push('locales')
  if (recipe.timezone !== 'Etc/UTC') wanted.push('tzdata')
  return [...new Set(wanted)].sort()
}

/** Left out while unpacking: nothing reads them on a server, and every megabyte is downloaded and written at each install. */
const EXCLUDED_PATHS = [
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/doc/*',
  '/usr/share/locale/*',
  '/usr/share/lintian/*',
  '/usr/share/bug/*',
  '/usr/share/gtk-doc/*',
]
/** Names of hardware, 20 MiB of them; virtual machines have none. */
const HARDWARE_NAMES = ['/lib/udev/hwdb.d/*', '/usr/lib/udev/hwdb.d/*']

export function excludedPaths({ kernel }: Pick<ResolvedRecipe, 'kernel'>): string[] {
  return kernel === 'cloud' ? [...EXCLUDED_PATHS, ...HARDWARE_NAMES] : EXCLUDED_PATHS
}
/** Licences stay, and the list of locales that others are made from. */
export const KEPT_PATHS = ['/usr/share/doc/*/copyright', '/usr/share/locale/locale.alias']

/** initramfs-tools settings; see overlay/etc/initramfs-tools/hooks/bridgehead. */
export function initramfsSettings({ kernel }: Pick<ResolvedRecipe, 'kernel'>): string {
  return `MODULES=${kernel === 'cloud' ? 'list' : 'most'}\nBUSYBOX=n\nCOMPRESS=zstd\nFSTYPE=ext4\nRESUME=none\n`
}
