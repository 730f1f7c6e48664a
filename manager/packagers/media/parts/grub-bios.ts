import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

const MODULES = ['biosdisk', 'part_gpt', 'fat', 'linux16', 'boot', 'echo', 'test', 'sleep', 'reboot']
/** What those need, by GRUB's own list (moddep.lst; 2.06 and 2.12 agree). */
const NEEDED = [
  ...['fshelp', 'relocator', 'linux', 'video', 'mmap', 'verifiers', 'normal', 'vbe', 'extcmd', 'datetime'],
  ...['crypto', 'net', 'bufio', 'gettext', 'terminal', 'video_fb', 'priority_queue'],
]
const IMAGES = ['boot.img', 'diskboot.img', 'kernel.img', 'lzma_decompress.img', 'moddep.lst']

/** What `grub-mkimage` reads for a BIOS disk. */
export const GRUB_FILES: readonly string[] = [...IMAGES, ...[...MODULES, ...NEEDED].map((module) => `${module}.mod`)]

/** The boot disk's second partition, whatever the firmware calls that disk. */
const PREFIX = '(,gpt2)/grub'

/** Makes `core.img`; some 0.1 s. Throws ExecaError. */
export async function makeGrubStages(
  paths: Readonly<Record<string, string>>,
  { directory, signal }: { directory: string; signal: AbortSignal },
): Promise<Record<string, string>> {
  for (const [name, path] of Object.entries(paths)) await symlink(path, join(directory, name))
  const core = join(directory, 'core.img')
  await execa('grub-mkimage', ['-d', directory, '-O', 'i386-pc', '-p', PREFIX, '-o', core, ...MODULES], {
    stdin: 'ignore',
    cancelSignal: signal,
    env: { SOURCE_DATE_EPOCH: '0' },
  })
  return { 'boot.img': join(directory, 'boot.img'), 'core.img': core }
}
