import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CpioEntry, encodeCpio } from '../deploy-initramfs/cpio.ts'
import type { System } from './system.ts'

/** busybox applets that `init` calls. */
const APPLETS = 'cat dd echo find modprobe mount od readlink reboot sh sleep sort switch_root tr usleep'.split(' ')

/** The appliance's initramfs, not yet compressed: busybox, drivers of disks, and `image/initramfs/init`. Equal inputs give equal bytes. */
export async function makeInitramfs(system: System): Promise<Uint8Array> {
  const entries: CpioEntry[] = ['dev', 'proc', 'sys', 'root', 'tmp', 'lib'].map((path) => ({ path, kind: 'directory' }))
  entries.push({ path: 'dev/console', kind: 'device', major: 5, minor: 1 }) // the kernel opens it before anything is mounted
  for (const name of APPLETS) entries.push({ path: `bin/${name}`, kind: 'link', target: 'busybox' })
  const file = async (path: string, from: string, mode: number) => entries.push({ path, kind: 'file', mode, bytes: await readFile(from) })
  await file('bin/busybox', join(system.directory, 'root/usr/bin/busybox'), 0o755)
  await file('init', fileURLToPath(new URL('../../../image/initramfs/init', import.meta.url)), 0o755)
  const modules = join(system.directory, 'initramfs/usr')
  for (const entry of await readdir(modules, { recursive: true, withFileTypes: true })) {
    const from = join(entry.parentPath, entry.name)
    if (entry.isFile()) await file(from.slice(modules.length + 1), from, 0o644)
  }
  return encodeCpio(entries)
}
