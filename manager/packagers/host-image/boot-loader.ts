import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { encodeGpt, SECTOR_BYTES } from './gpt.ts'
import { type DiskIds, diskBytes, LAYOUT, partitionsOf, patchBiosBoot } from './layout.ts'

const GRUB = '/usr/lib/grub'
/** The boot disk's third partition, whatever the firmware calls that disk. */
const PREFIX = '(,gpt3)/boot/grub'
const MODULES = [
  'part_gpt',
  'ext2',
  'normal',
  'configfile',
  'linux',
  'echo',
  'test',
  'probe',
  'sleep',
  'reboot',
  'halt',
  'serial',
  'terminal',
  'ls',
  'cat',
  'search',
]

/**
 * Makes `disk` (a raw file whose root partition is filled already) bootable by BIOS and by UEFI: partition table, GRUB in the BIOS boot
 * partition, GRUB as the removable-media loader in the EFI system partition. Needs neither root nor loop devices.
 */
export async function writeBootAreas({
  disk,
  rootMiB,
  ids,
  workDirectory,
  signal,
}: {
  disk: string
  rootMiB: number
  ids: DiskIds
  workDirectory: string
  signal: AbortSignal
}): Promise<void> {
  const run = (file: string, args: readonly string[]) =>
    execa(file, args, { cancelSignal: signal, stdin: 'ignore', env: { SOURCE_DATE_EPOCH: '0', MTOOLS_SKIP_CHECK: '1' } })
  const mkimage = async (format: string, output: string, more: readonly string[]) => {
    await run('grub-mkimage', ['-O', format, '-o', output, '-p', PREFIX, ...more, ...MODULES])
    return output
  }
  const folder = join(workDirectory, 'boot')
  await mkdir(folder, { recursive: true })
  const core = await mkimage('i386-pc', join(folder, 'core.img'), ['biosdisk'])
  const efi = await mkimage('x86_64-efi', join(folder, 'BOOTX64.EFI'), ['fat', 'all_video'])

  const esp = join(folder, 'esp.img')
  await writeFile(esp, '')
  await (
    await open(esp, 'r+').then(async (file) => {
      await file.truncate(LAYOUT.esp.bytes)
      return file
    })
  ).close()
  await run('mkfs.vfat', ['-F', '16', '-n', 'ESP', '--invariant', esp])
  await run('mmd', ['-i', esp, '::/EFI', '::/EFI/BOOT'])
  await run('mcopy', ['-i', esp, efi, '::/EFI/BOOT/BOOTX64.EFI'])

  const stages = patchBiosBoot({ bootImg: await readFile(`${GRUB}/i386-pc/boot.img`), coreImg: await readFile(core) })
  const bytes = diskBytes(rootMiB)
  const table = encodeGpt({
    sectors: bytes / SECTOR_BYTES,
    id: ids.disk,
    partitions: partitionsOf({ architecture: 'x86_64', rootMiB, ids }),
  })
  const file = await open(disk, 'r+')
  try {
    await file.truncate(bytes)
    for (const piece of [
      ...table,
      { offset: 0, bytes: stages.boot },
      { offset: LAYOUT.biosBoot.offset, bytes: stages.core },
      { offset: LAYOUT.esp.offset, bytes: await readFile(esp) },
    ])
      await file.write(piece.bytes, 0, piece.bytes.length, piece.offset)
    await file.sync()
  } finally {
    await file.close()
  }
}
