/** The header below `config/` that a macro belongs to; ours goes beside it into `config/local/`, which iPXE reads last. */
type Header = 'general' | 'console' | 'crypto' | 'serial'

export interface Feature {
  header: Header
  macro: string
  /** Whether a request that says nothing has it. */
  standard: boolean
  /** What it is good for, for people: shown by the API's schema. */
  gives: string
  /** Script commands that exist only with it. */
  commands?: readonly string[]
  /** It exists on this firmware or architecture only, and is left out elsewhere. */
  only?: { firmware?: 'bios' | 'uefi'; architecture?: 'x86_64' | 'arm64' }
}

/**
 * What can be had or left out, by the name that people use. Each is defined or undefined explicitly, so that a choice means the same on
 * every platform and in every version of iPXE (1.21.1 leaves nearly all of them out; 2.0.0 has most of them, but not on BIOS).
 */
export const FEATURES = {
  https: { header: 'general', macro: 'DOWNLOAD_PROTO_HTTPS', standard: false, gives: 'downloads over HTTPS' },
  nfs: { header: 'general', macro: 'DOWNLOAD_PROTO_NFS', standard: false, gives: 'downloads over NFS' },
  ftp: { header: 'general', macro: 'DOWNLOAD_PROTO_FTP', standard: false, gives: 'downloads over FTP' },
  ipv6: {
    header: 'general',
    macro: 'NET_PROTO_IPV6',
    standard: false,
    gives: 'IPv6; on a network without an IPv6 router the loader waits for one for some seconds',
  },
  vlan: { header: 'general', macro: 'VLAN_CMD', standard: true, gives: 'VLAN interfaces', commands: ['vcreate', 'vdestroy'] },
  ntp: { header: 'general', macro: 'NTP_CMD', standard: true, gives: 'setting the clock by NTP', commands: ['ntp'] },
  param: {
    header: 'general',
    macro: 'PARAM_CMD',
    standard: true,
    gives: 'form parameters of HTTP requests',
    commands: ['params', 'param'],
  },
  reboot: { header: 'general', macro: 'REBOOT_CMD', standard: true, gives: 'rebooting', commands: ['reboot'] },
  poweroff: { header: 'general', macro: 'POWEROFF_CMD', standard: true, gives: 'switching off', commands: ['poweroff'] },
  ping: { header: 'general', macro: 'PING_CMD', standard: true, gives: 'ping', commands: ['ping'] },
  nslookup: { header: 'general', macro: 'NSLOOKUP_CMD', standard: true, gives: 'DNS questions', commands: ['nslookup'] },
  digest: {
    header: 'general',
    macro: 'DIGEST_CMD',
    standard: true,
    gives: 'checksums of downloaded images',
    commands: ['md4sum', 'md5sum', 'sha1sum', 'sha224sum', 'sha256sum', 'sha384sum', 'sha512sum'],
  },
  pci: { header: 'general', macro: 'PCI_CMD', standard: true, gives: 'finding PCI devices', commands: ['pciscan'] },
  usb: { header: 'general', macro: 'USB_CMD', standard: false, gives: 'finding USB devices', commands: ['usbscan'] },
  time: { header: 'general', macro: 'TIME_CMD', standard: true, gives: 'timing a command', commands: ['time'] },
  consoleCommand: {
    header: 'general',
    macro: 'CONSOLE_CMD',
    standard: true,
    gives: 'console size, picture and colours',
    commands: ['console', 'colour', 'cpair'],
  },
  cert: {
    header: 'general',
    macro: 'CERT_CMD',
    standard: false,
    gives: 'showing and storing certificates',
    commands: ['certstat', 'certstore', 'certfree'],
  },
  imageTrust: {
    header: 'general',
    macro: 'IMAGE_TRUST_CMD',
    standard: false,
    gives: 'running only images with a good signature',
    commands: ['imgtrust', 'imgverify'],
  },
  imageExtract: {
    header: 'general',
    macro: 'IMAGE_ARCHIVE_CMD',
    standard: false,
    gives: 'unpacking compressed images',
    commands: ['imgextract'],
  },
  imageMemory: { header: 'general', macro: 'IMAGE_MEM_CMD', standard: false, gives: 'images read from memory', commands: ['imgmem'] },
  form: { header: 'general', macro: 'FORM_CMD', standard: false, gives: 'input forms', commands: ['form', 'present'] },
  shim: {
    header: 'general',
    macro: 'SHIM_CMD',
    standard: false,
    gives: 'starting a signed kernel through shim',
    commands: ['shim'],
    only: { firmware: 'uefi' },
  },
  fdt: {
    header: 'general',
    macro: 'FDT_CMD',
    standard: false,
    gives: 'handing over a device tree',
    commands: ['fdt'],
    only: { architecture: 'arm64' },
  },
  pxe: {
    header: 'general',
    macro: 'PXE_CMD',
    standard: false,
    gives: 'starting and stopping the PXE stack by hand',
    commands: ['startpxe', 'stoppxe'],
    only: { firmware: 'bios' },
  },
  neighbour: { header: 'general', macro: 'NEIGHBOUR_CMD', standard: false, gives: 'the table of neighbours', commands: ['nstat'] },
  ipstat: { header: 'general', macro: 'IPSTAT_CMD', standard: false, gives: 'counters of IP packets', commands: ['ipstat'] },
  framebuffer: { header: 'console', macro: 'CONSOLE_FRAMEBUFFER', standard: false, gives: 'a graphical console, with pictures' },
  ocsp: { header: 'crypto', macro: 'OCSP_CHECK', standard: true, gives: 'asking certificate authorities about revoked certificates' },
} as const satisfies Record<string, Feature>

export type FeatureName = keyof typeof FEATURES
export const FEATURE_NAMES = Object.keys(FEATURES).filter((name): name is FeatureName => Object.hasOwn(FEATURES, name))
export const feature = (name: FeatureName): Feature => FEATURES[name]

/** Commands that every iPXE has that we build (`cpuid` on x86 only). */
export const BASIC_COMMANDS: readonly string[] = [
  ...['echo', 'exit', 'isset', 'iseq', 'sleep', 'goto', 'prompt', 'shell', 'help', 'sync', 'config', 'login', 'cpuid'],
  ...['imgfetch', 'module', 'initrd', 'imgselect', 'imgload', 'kernel', 'imgexec', 'chain', 'boot', 'imgargs', 'imgstat', 'imgfree'],
  ...['menu', 'item', 'choose', 'show', 'set', 'clear', 'read', 'inc'],
  ...['ifopen', 'ifclose', 'ifstat', 'ifconf', 'iflinkwait', 'dhcp', 'pxebs', 'route', 'autoboot'],
  ...['sanhook', 'sanboot', 'sanunhook', 'iwstat', 'iwlist', 'fcstat', 'fcels', 'ibstat'],
]
