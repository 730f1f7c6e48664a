import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

/** Name under which sites serve it; the local-disk script of shared/boot asks for it. */
export const DISK_LOADER = 'disk-x64.efi'

const MODULES = ['part_gpt', 'part_msdos', 'fat', 'search', 'search_fs_file', 'chain', 'boot', 'minicmd']

/** Ends with an error, so that the firmware tries its next boot entry. */
const CONFIG = `search --no-floppy --file --set=root /EFI/BOOT/BOOTX64.EFI
chainloader /EFI/BOOT/BOOTX64.EFI
boot
exit 1
`

/**
 * Makes a tiny GRUB that starts the first disk's own loader, for iPXE of UEFI machines that is too old for `sanboot` (before 2021).
 * About 300 KB; the same input gives the same bytes. Returns its path inside `workDirectory`.
 */
export async function makeDiskLoader(workDirectory: string): Promise<string> {
  const config = join(workDirectory, 'disk-loader.cfg')
  const output = join(workDirectory, DISK_LOADER)
  await writeFile(config, CONFIG)
  await execa('grub-mkimage', ['-O', 'x86_64-efi', '-c', config, '-p', '/', '-o', output, ...MODULES], { stdin: 'ignore' })
  return output
}
