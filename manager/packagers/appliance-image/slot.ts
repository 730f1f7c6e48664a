import { cp, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BOARD_SPECS, type Board } from '@bridgehead/image/boards.ts'
import { SLOT_BYTES } from '@bridgehead/image/layout.ts'
import type { ReleaseFile } from '@bridgehead/image/release.ts'
import { APP_DIRECTORY, formatSortList } from '@bridgehead/image/sort-list.ts'
import { execa } from 'execa'
import { ApplianceImageError } from './error.ts'
import { makeInitramfs } from './initramfs.ts'
import { keptDirectory } from './kept-directory.ts'
import type { System } from './system.ts'
import type { Tools } from './tools.ts'

const STATIC = fileURLToPath(new URL('../../../image/root', import.meta.url))
/** Mount points, and places that others expect. */
const DIRECTORIES = ['boot', 'data', 'dev', 'proc', 'run', 'sys', 'tmp', 'usr/lib64', 'usr/sbin', 'etc', APP_DIRECTORY]
const LINKS = {
  bin: 'usr/bin',
  sbin: 'usr/sbin',
  lib: 'usr/lib',
  lib64: 'usr/lib64',
  'etc/resolv.conf': '/run/bridgehead/resolv.conf',
  'etc/mtab': '/proc/self/mounts',
}

export interface SlotInputs {
  board: Board
  system: System
  /** The daemon's bundle: main.mjs and what lies beside it. */
  app: string
  release: ReleaseFile
  /** Files of the build's own, such as the SBOM: path in the slot -> text. */
  documents: Readonly<Record<string, string>>
  /** A directory whose files come over everything else; for tests. */
  overlay?: string | undefined
  /** Quick to make, some 40 % larger. */
  dev: boolean
}

/**
 * Makes one slot, a squashfs with kernel, initramfs, Node and daemon, without root. Equal inputs give equal bytes. `work`: an empty directory
 * on the same file system as the kept ones. Throws ApplianceImageError when it does not fit.
 */
export async function makeSlot(inputs: SlotInputs, around: { tools: Tools; work: string; workDirectory: string }): Promise<string> {
  const { tools, work } = around
  const { board, system, app, release, documents, overlay, dev } = inputs
  const root = join(work, 'root')
  await execa('cp', ['-al', join(system.directory, 'root'), root]) // links: what is replaced below is removed first
  for (const path of DIRECTORIES) await mkdir(join(root, path), { recursive: true })
  for (const [path, target] of Object.entries(LINKS)) await symlink(target, join(root, path))
  await execa('cp', ['-R', '--remove-destination', `${STATIC}/.`, root])
  const names = (await readdir(app)).filter((name) => !name.endsWith('.map'))
  for (const name of names) await cp(join(app, name), join(root, APP_DIRECTORY, name))
  await writeFile(join(root, APP_DIRECTORY, 'release.json'), `${JSON.stringify(release, null, 2)}\n`)
  for (const [path, text] of Object.entries(documents)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
  await cp(await compressedInitramfs(system, dev, around), join(root, 'boot/initrd.img'))
  if (overlay !== undefined) await execa('cp', ['-R', '--remove-destination', `${overlay}/.`, root])
  await normalModes(root)

  const slot = join(work, 'slot.squashfs')
  const sort = join(work, 'sort')
  await writeFile(sort, formatSortList([...names, 'release.json'], Object.keys(documents), await filesIn(STATIC)))
  const { xzFilter } = BOARD_SPECS[board]
  const compression = dev
    ? ['-comp', 'gzip', '-Xcompression-level', '1']
    : ['-comp', 'xz', '-b', '256K', ...(xzFilter === undefined ? [] : ['-Xbcj', xzFilter])]
  const options = ['-noappend', '-no-progress', '-quiet', '-all-root', '-no-xattrs', '-mkfs-time', '0', '-all-time', '0', '-sort', sort]
  await tools.run('mksquashfs', ['.', slot, ...options, ...compression], { cwd: root })
  // GRUB's own reader, on this machine: a slot that it cannot read never leaves here.
  if (!dev)
    for (const name of ['vmlinuz', 'initrd.img']) await tools.run('grub-fstest', [slot, 'cmp', `/boot/${name}`, join(root, 'boot', name)])
  const { size } = await stat(slot)
  if (size > SLOT_BYTES)
    throw new ApplianceImageError(`the system takes ${mib(size)} MiB; a slot has ${mib(SLOT_BYTES)}. Without --dev it is smaller`)
  return slot
}

/** Paths within `directory`, in one order everywhere. */
async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort()
}

/** Made once for its contents: strong compression takes its time. */
async function compressedInitramfs(system: System, dev: boolean, { tools, workDirectory }: { tools: Tools; workDirectory: string }) {
  const level = dev ? '-3' : '-19'
  const init = await readFile(fileURLToPath(new URL('../../../image/initramfs/init', import.meta.url)), 'utf8')
  const key = JSON.stringify([system.directory, level, init])
  const kept = await keptDirectory({ workDirectory, name: 'initramfs', key }, async (directory) => {
    const cpio = join(directory, 'initrd.cpio')
    await writeFile(cpio, await makeInitramfs(system))
    // One thread: with more, how the work is cut up depends on their number.
    await tools.run('zstd', ['-q', '--single-thread', level, '--rm', cpio, '-o', join(directory, 'initrd.img')])
  })
  return join(kept, 'initrd.img')
}

/** Whatever the umask of the one who builds: directories and programs are 0755, files 0644. */
async function normalModes(root: string): Promise<void> {
  await execa('chmod', ['-R', 'u=rwX,go=rX', root])
  if ((await lstat(join(root, 'etc/shadow'))).isFile()) await execa('chmod', ['0600', join(root, 'etc/shadow')])
}

const mib = (bytes: number) => (bytes / 1_048_576).toFixed(1)
