/**
 * Kernel modules by their path below `usr/lib/modules/{version}/`. Chosen by directory, because soft dependencies are not in modules.dep
 * (crc32c for ext4, a PHY's driver for its network card): crypto, lib and phy stay whole.
 */

/** Without these no root file system: disks and what they hang on. In the initramfs and in the slot. */
const STORAGE = [
  /^kernel\/drivers\/(ata|nvme|virtio)\//,
  /^kernel\/drivers\/block\/(virtio_blk|xen-blkfront|nbd)\./,
  /^kernel\/drivers\/scsi\/(sd_mod|scsi_mod|scsi_common|scsi_transport_\w+|virtio_scsi|hv_storvsc|vmw_pvscsi|megaraid\/\w+|mpt3sas\/\w+|aacraid\/\w+|hpsa)\./,
  /^kernel\/drivers\/message\/fusion\//,
  /^kernel\/drivers\/mmc\//,
  /^kernel\/drivers\/usb\/(host|storage|core|common|dwc2|dwc3|roles|phy)\//,
  /^kernel\/drivers\/hv\/(hv_vmbus)\./,
  /^kernel\/drivers\/pci\/controller\//,
  /^kernel\/drivers\/(pinctrl|clk|reset|regulator|phy|soc|mailbox|firmware)\/.*(bcm|brcm|rp1|raspberrypi|gpio-regulator|fixed)/,
  /^kernel\/drivers\/regulator\//,
  /^kernel\/drivers\/mfd\/rp1/,
  /^kernel\/drivers\/misc\/rp1/,
  /^kernel\/drivers\/dma\/bcm2835/,
  /^kernel\/drivers\/gpio\/gpio-(raspberrypi|brcmstb)/,
  /^kernel\/fs\/squashfs\//,
  /^kernel\/(crypto|lib)\/.*(crc|xxhash|zstd|xz)/,
  /^kernel\/arch\/[^/]+\/(crypto|lib)\/.*crc/,
]

/** Buses and helpers that load by themselves in ways modules.dep does not tell. */
const SLOT = [
  ...STORAGE,
  /^kernel\/(crypto|lib)\//,
  /^kernel\/arch\/[^/]+\/(crypto|lib)\//,
  /^kernel\/drivers\/phy\//,
  // network cards
  /^kernel\/drivers\/net\/(phy|mdio|pcs|usb|mii|vmxnet3|hyperv|dsa)(\/|\.)/,
  /^kernel\/drivers\/net\/(mdio|mii|virtio_net|net_failover|xen-netfront|veth|tun|macvlan|vrf|bonding\/\w+|wireguard\/\w+)\./,
  /^kernel\/drivers\/net\/ethernet\/(intel|realtek|broadcom|amazon|aquantia|atheros|cadence|asix|amd|google|marvell|mellanox\/mlx[45]|microsoft|nvidia|via|stmicro|smsc|microchip|cavium\/common|qlogic\/netxen|8390)/,
  // file systems and their tables
  /^kernel\/fs\/(ext4|jbd2|mbcache|fat|nls|overlayfs|isofs|exfat)/,
  // the kernel's network
  /^kernel\/net\/(8021q|802|llc|bridge|ipv4|ipv6|netfilter|sched|packet|core|rfkill|wireless|mac80211|vmw_vsock)/,
  // watchdogs, clocks, what QEMU gives
  /^kernel\/drivers\/(watchdog|rtc|i2c\/(busses|i2c)|char\/(hw_random|tpm|virtio_console)|hwmon\/(coretemp|k10temp|raspberrypi))/,
  /^kernel\/drivers\/(hid\/(hid|usbhid\/usbhid|hid-generic)\.|input\/(keyboard|serio|evdev))/,
  /^kernel\/drivers\/net\/wireless\/broadcom\//,
  /^kernel\/drivers\/(mfd|thermal|gpio|leds|nvmem|pwm)\//,
  /^kernel\/drivers\/usb\/(serial|class|typec)\//,
  /^kernel\/drivers\/(pinctrl|platform\/x86\/intel)\//,
  /^kernel\/drivers\/(acpi|powercap|cpufreq)\//,
  /^kernel\/drivers\/gpu\/drm\/(tiny|virtio|bochs|vc4|v3d|drm|hyperv|qxl|vmwgfx|display|clients|drm_\w+)/,
  /^kernel\/drivers\/(media\/cec|video)\//,
]
/** Large, and of no use on a machine of this kind. */
const NEVER = [
  /^kernel\/drivers\/net\/ethernet\/(mellanox\/mlxsw|intel\/(fm10k|iavf|i40evf)|marvell\/(octeontx2|prestera|octeon_ep\w*)|cavium\/liquidio)\//,
  /^kernel\/drivers\/net\/(phy\/(nxp-c45|mscc)|dsa)\//,
  /^kernel\/drivers\/mfd\/(?!rp1|lpc|intel|bcm|cros|simple|syscon|mfd-core|raspberrypi)/,
  /^kernel\/net\/(sched\/(?!sch_(fq|htb|ingress|sfq|cake)|act_mirred|cls_(u32|bpf|flower))|netfilter\/(ipset|ipvs))/,
  /^kernel\/drivers\/gpu\/drm\/(vmwgfx|amd|nouveau|radeon|i915|xe)\//,
  /^kernel\/drivers\/usb\/(misc|atm|serial\/(?!usbserial|ftdi|pl2303|cp210x|ch341))/,
  /^kernel\/drivers\/media\/(?!cec)/,
  /^kernel\/.*(-|_)(kunit|test)\./,
  /^kernel\/lib\/.*test/,
]

const among = (patterns: readonly RegExp[]) => (path: string) =>
  patterns.some((pattern) => pattern.test(path)) && !NEVER.some((pattern) => pattern.test(path))

export const inInitramfs = among(STORAGE)
export const inSlot = among(SLOT)
