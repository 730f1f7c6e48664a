import { expect, test } from 'vitest'
import { inInitramfs, inSlot } from './modules.ts'

const where = (path: string) => (inInitramfs(path) ? 'both' : inSlot(path) ? 'slot' : 'nowhere')

test.each([
  { path: 'kernel/drivers/ata/ahci.ko.xz', is: 'both' },
  { path: 'kernel/drivers/nvme/host/nvme.ko.xz', is: 'both' },
  { path: 'kernel/drivers/usb/storage/uas.ko.xz', is: 'both' },
  { path: 'kernel/drivers/usb/host/xhci-pci.ko.xz', is: 'both' },
  { path: 'kernel/drivers/mmc/host/sdhci-brcmstb.ko.xz', is: 'both' },
  { path: 'kernel/drivers/block/virtio_blk.ko.xz', is: 'both' },
  { path: 'kernel/drivers/scsi/sd_mod.ko.xz', is: 'both' },
  { path: 'kernel/fs/squashfs/squashfs.ko.xz', is: 'both' },
  { path: 'kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko.xz', is: 'slot' },
  { path: 'kernel/drivers/net/ethernet/realtek/r8169.ko.xz', is: 'slot' },
  { path: 'kernel/drivers/net/usb/r8152.ko.xz', is: 'slot' },
  { path: 'kernel/drivers/net/wireguard/wireguard.ko.xz', is: 'slot' },
  { path: 'kernel/drivers/net/wireless/broadcom/brcm80211/brcmfmac/brcmfmac.ko.xz', is: 'slot' },
  { path: 'kernel/drivers/watchdog/i6300esb.ko.xz', is: 'slot' },
  { path: 'kernel/fs/ext4/ext4.ko.xz', is: 'slot' },
  { path: 'kernel/fs/fat/vfat.ko.xz', is: 'slot' },
  { path: 'kernel/net/netfilter/nft_masq.ko.xz', is: 'slot' },
  { path: 'kernel/net/8021q/8021q.ko.xz', is: 'slot' },
  { path: 'kernel/sound/core/snd.ko.xz', is: 'nowhere' },
  { path: 'kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko.xz', is: 'nowhere' },
  { path: 'kernel/fs/btrfs/btrfs.ko.xz', is: 'nowhere' },
  { path: 'kernel/lib/test_bpf.ko.xz', is: 'nowhere' },
])('$path: $is', ({ path, is }) => expect(where(path)).toBe(is))
