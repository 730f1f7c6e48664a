/** What somebody types to make the same media, in a directory with all parts; shell text by medium. */
export const HAND = {
  iso: `
rm -rf iso iso.img hand.iso; mkdir -p iso/isolinux iso/boot
cp isolinux.bin ldlinux.c32 isolinux.cfg iso/isolinux; cp ipxe.lkrn iso/isolinux/ipxe.krn; cp autoexec.ipxe iso
mkfs.vfat -C iso/boot/efi.img 3072
mmd -i iso/boot/efi.img ::/EFI ::/EFI/BOOT
mcopy -i iso/boot/efi.img autoexec.ipxe ::/
mcopy -i iso/boot/efi.img ipxe-x86_64.efi ::/EFI/BOOT/BOOTX64.EFI
mcopy -i iso/boot/efi.img ipxe-arm64.efi ::/EFI/BOOT/BOOTAA64.EFI
xorriso -as mkisofs -quiet -r -V HAND -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \\
  -eltorito-alt-boot -e boot/efi.img -no-emul-boot -isohybrid-mbr isohdpfx.bin -isohybrid-gpt-basdat -o hand.iso iso
`,
  usb: `
rm -f esp.img hand.img; truncate -s 19M hand.img
printf 'label: gpt\\n1MiB,1MiB,21686148-6449-6e6f-744e-656564454649\\n2MiB,16MiB,U\\n' | sfdisk -q hand.img
mkfs.vfat -F 16 -C esp.img 16384
mmd -i esp.img ::/EFI ::/EFI/BOOT ::/grub
mcopy -i esp.img autoexec.ipxe ipxe.lkrn ::/
mcopy -i esp.img grub.cfg ::/grub
mcopy -i esp.img ipxe-x86_64.efi ::/EFI/BOOT/BOOTX64.EFI
mcopy -i esp.img ipxe-arm64.efi ::/EFI/BOOT/BOOTAA64.EFI
dd if=esp.img of=hand.img bs=1M seek=2 conv=notrunc status=none
dd if=core.img of=hand.img bs=1M seek=1 conv=notrunc status=none
dd if=boot.img of=hand.img bs=440 count=1 conv=notrunc status=none
`,
  pi: `
rm -rf fat.img hand-pi.img pi; truncate -s 41M hand-pi.img
printf 'label: dos\\n1MiB,40MiB,c,*\\n' | sfdisk -q hand-pi.img
mkfs.vfat -F 32 -s 1 -C fat.img 40960
mmd -i fat.img ::/efi ::/efi/boot ::/dtb ::/dtb/broadcom
mcopy -i fat.img bootcode.bin fixup*.dat start*.elf u-boot-rpi-*.bin *.dtb autoexec.ipxe config.txt ::/
mcopy -i fat.img *.dtb ::/dtb/broadcom
mcopy -i fat.img ipxe-arm64.efi ::/efi/boot/bootaa64.efi
dd if=fat.img of=hand-pi.img bs=1M seek=1 conv=notrunc status=none
`,
  pxe: `
rm -rf set hand.tar.gz; mkdir set
cp undionly.kpxe ipxe.pxe snponly-x86_64.efi ipxe-x86_64.efi ipxe-arm64.efi autoexec.ipxe set
tar -czf hand.tar.gz set
`,
}

/** The small text files that go with them, by name. */
export function handFiles(): Record<string, string> {
  return {
    'autoexec.ipxe': '#!ipxe\ndhcp\nchain http://192.168.1.2/start.ipxe\n',
    'isolinux.cfg': 'DEFAULT ipxe\nLABEL ipxe\n  KERNEL ipxe.krn\n  INITRD /autoexec.ipxe\n',
    'grub.cfg': 'linux16 /ipxe.lkrn\ninitrd16 /autoexec.ipxe\nboot\n',
    'config.txt': '[all]\narm_64bit=1\nenable_uart=1\nkernel=u-boot-rpi-arm64.bin\n',
  }
}
