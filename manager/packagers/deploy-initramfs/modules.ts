/** Kernel modules by path below `lib/modules/{version}/`, each with what it needs (modules.dep, kmod's depmod(8)). */
export type ModuleDependencies = ReadonlyMap<string, readonly string[]>

export function parseModulesDep(text: string): ModuleDependencies {
  return new Map(
    text
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line) => {
        const [path = '', needs = ''] = line.split(':', 2)
        return [path.trim(), needs.split(' ').filter((need) => need !== '')]
      }),
  )
}

/** Those that `wanted` picks, and all that they need, sorted. Paths may end in .ko, .ko.xz or .ko.zst. Throws RangeError on a gap. */
export function closeModules(all: ModuleDependencies, wanted: (path: string) => boolean): string[] {
  const chosen = new Set<string>()
  const add = (path: string) => {
    if (chosen.has(path)) return
    const needs = all.get(path)
    if (!needs) throw new RangeError(`modules.dep names "${path}", but has no line for it`)
    chosen.add(path)
    for (const need of needs) add(need)
  }
  for (const path of all.keys()) if (wanted(path)) add(path)
  return [...chosen].sort()
}

export const moduleName = (path: string) => (path.split('/').pop() ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_')
export const uncompressed = (path: string) => path.replace(/\.ko\.\w+$/, '.ko')

/** modules.dep of just these, naming uncompressed files. */
export function formatModulesDep(all: ModuleDependencies, chosen: readonly string[]): string {
  return chosen.map((path) => `${uncompressed(path)}:${(all.get(path) ?? []).map((need) => ` ${uncompressed(need)}`).join('')}\n`).join('')
}

/** Those lines of modules.alias (`alias PATTERN MODULE`) that lead to these modules. */
export function filterAliases(text: string, chosen: readonly string[]): string {
  const names = new Set(chosen.map(moduleName))
  return text
    .split('\n')
    .filter((line) => line.startsWith('alias ') && names.has((line.split(' ')[2] ?? '').replaceAll('-', '_')))
    .map((line) => `${line}\n`)
    .join('')
}

/**
 * Soft dependencies are not in modules.dep: crc32c for ext4 and the like. The kernel asks for them by alias, so their modules must be
 * there. By directory or name: disks, network cards and their buses; the file system; nothing that an installer never touches.
 */
const CLOUD = [
  /^kernel\/drivers\/(virtio|nvme|block\/(virtio_blk|xen-blkfront))/,
  /^kernel\/drivers\/scsi\/(sd_mod|scsi_mod|virtio_scsi|hv_storvsc|vmw_pvscsi)\./,
  /^kernel\/drivers\/message\/fusion\//,
  /^kernel\/drivers\/ata\//,
  /^kernel\/drivers\/hv\//,
  /^kernel\/drivers\/net\/(virtio_net|net_failover|xen-netfront|vmxnet3\/|hyperv\/)/,
  /^kernel\/drivers\/net\/ethernet\/(amazon|google|microsoft|intel\/(ixgbevf|iavf|e1000|e1000e|igb)|mellanox)\//,
  /^kernel\/fs\/(ext4|jbd2|mbcache)/,
  /^kernel\/net\/packet\//,
  /^kernel\/(crypto|lib|arch\/[^/]+\/crypto)\/.*crc/,
]
const GENERIC = [
  ...CLOUD,
  /^kernel\/drivers\/(scsi|ata|nvme|block|mmc|message|virtio|hv|firmware|phy|mfd)\//,
  /^kernel\/drivers\/net\/(ethernet|phy|mdio|pcs|usb|mii|vmxnet3|hyperv|mdio\.|virtio_net|net_failover|xen-netfront)/,
  /^kernel\/drivers\/usb\/(host|storage|core|common|dwc[23]|typec)\//,
  /^kernel\/drivers\/(pci|xen|i2c\/busses\/i2c-(i801|piix4)|pinctrl\/intel)/,
]

export function wantedModules(kernel: 'cloud' | 'generic'): (path: string) => boolean {
  const patterns = kernel === 'cloud' ? CLOUD : GENERIC
  return (path) => patterns.some((pattern) => pattern.test(path))
}
