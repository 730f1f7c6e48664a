import { chmod, copyFile, lstat, mkdir, readdir, readFile, readlink, realpath, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { BOARD_SPECS, type Board, type BoardSpec } from '@bridgehead/image/boards.ts'
import { closeLibraries, neededBy } from '@bridgehead/image/elf.ts'
import type { Lock, LockedPackage } from '@bridgehead/image/lock.ts'
import { inInitramfs, inSlot } from '@bridgehead/image/modules.ts'
import { appletsOf, isNamed, matches, pick } from '@bridgehead/image/picks.ts'
import { execa } from 'execa'
import { closeModules, filterAliases, formatModulesDep, parseModulesDep, uncompressed } from '../deploy-initramfs/modules.ts'
import { ApplianceImageError } from './error.ts'
import { keptDirectory } from './kept-directory.ts'
import type { NodeRuntime } from './node-runtime.ts'
import { getPackages, type PackageDeps } from './packages.ts'
import type { Tools } from './tools.ts'

/** Everything of a slot that does not change with the daemon. */
export interface System {
  /** `root/`: the tree. `initramfs/`: modules of the initramfs, with their modules.dep and modules.alias. `boot/`: files for the boot partition. */
  directory: string
  kernel: string
}

/** The tree of a board's packages and Node, made once for each lock. Throws RangeError or ApplianceImageError naming what a package lacks. */
export async function getSystem(
  { board, lock, node, ingredients }: { board: Board; lock: Lock; node: NodeRuntime; ingredients: string },
  { tools, ...deps }: PackageDeps & { tools: Tools },
): Promise<System> {
  const spec = BOARD_SPECS[board]
  const key = JSON.stringify([board, lock, node.name, node.version, ingredients])
  const directory = await keptDirectory({ ...deps, name: 'system', key }, async (next) => {
    const unpacked = join(next, 'unpacked')
    await mkdir(join(unpacked, 'usr/lib'), { recursive: true })
    await symlink('usr/lib', join(unpacked, 'lib')) // depmod looks there
    const debs = await getPackages(lock, lock.packages, deps)
    for (const { sha256 } of lock.packages) await execa('dpkg-deb', ['-x', debs.get(sha256) ?? '', unpacked], { cancelSignal: deps.signal })
    const root = join(next, 'root')
    const paths = await listFiles(unpacked)
    await copyPicked({ spec, lock, paths, unpacked, root })
    await addNode(spec, node, root, tools)
    await addLibraries({ spec, paths, unpacked, root })
    await addApplets(root)
    await addModules({ unpacked, root, initramfs: join(next, 'initramfs'), tools })
    const boot = pick(
      paths,
      spec.boot.flatMap(({ files }) => files),
    )
    for (const path of boot) await copy(join(unpacked, path), join(next, 'boot', path))
    for (const path of paths.filter(matches('usr/lib/modules/*/dtb/broadcom/*.dtb')))
      await copy(join(unpacked, path), join(next, 'boot/dtb', basename(path)))
    await execa('rm', ['-rf', unpacked])
  })
  return { directory, kernel: await kernelVersion(join(directory, 'root')) }
}

async function kernelVersion(root: string): Promise<string> {
  const [version, ...more] = await readdir(join(root, 'usr/lib/modules'))
  if (version === undefined || more.length > 0) throw new ApplianceImageError('expected the modules of one kernel')
  return version
}

interface Copying {
  spec: BoardSpec
  paths: readonly string[]
  unpacked: string
  root: string
}

async function copyPicked({ spec, lock, paths, unpacked, root }: Copying & { lock: Lock }): Promise<void> {
  const wanted = spec.root.flatMap(({ files }) => files).filter((path) => !/ld-linux-/.test(path) || paths.includes(path))
  for (const path of pick(paths, wanted)) await copy(join(unpacked, path), join(root, path))
  for (const { renamed = {} } of spec.root)
    for (const [to, from] of Object.entries(renamed)) await copy(join(unpacked, from), join(root, to))
  const [image] = paths.filter((path) => spec.kernel.files.slice(0, 2).some((pattern) => matches(pattern)(path)))
  if (image === undefined) throw new ApplianceImageError(`the kernel's packages have no ${spec.kernel.files[0]}`)
  await copy(join(unpacked, image), join(root, 'boot/vmlinuz'))
  for (const { name } of lock.packages.filter((one: LockedPackage) => one.use !== 'tool')) {
    const from = join(unpacked, 'usr/share/doc', name)
    const licence = await realpath(join(from, 'copyright')).catch(() => undefined) // a package may lean on that of another of its source
    if (licence !== undefined) await copy(licence, join(root, 'usr/share/doc', name, 'copyright'))
  }
}

async function addNode(spec: BoardSpec, node: NodeRuntime, root: string, tools: Tools): Promise<void> {
  const to = join(root, 'usr/bin/node')
  const strip = spec.node === 'x64' ? 'x86_64-linux-gnu-strip' : 'aarch64-linux-gnu-strip'
  await tools.run(strip, ['--strip-all', '-o', to, join(node.directory, 'bin/node')])
  await chmod(to, 0o755)
  await copy(join(node.directory, 'LICENSE'), join(root, 'usr/share/doc/node/copyright'))
}

/** What the chosen programs load, and what these libraries load. */
async function addLibraries({ spec, paths, unpacked, root }: Copying): Promise<void> {
  const libraries = new Map<string, readonly string[]>()
  const folder = `usr/lib/${spec.triplet}`
  const home = new Map(paths.filter((path) => dirname(path) === folder).map((path) => [basename(path), path]))
  for (const [name, path] of home)
    if (/\.so(\.|$)/.test(name)) libraries.set(name, neededBy(await readFile(await inside(unpacked, path))) ?? [])
  for (const name of ['ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1']) libraries.set(name, [])
  const programs = new Map<string, readonly string[]>()
  for (const path of await listFiles(root)) {
    const needs = (await lstat(join(root, path))).isFile() ? neededBy(await readFile(join(root, path))) : undefined
    if (needs) programs.set(path, needs)
  }
  programs.set('better-sqlite3', ['libstdc++.so.6', 'libm.so.6', 'libgcc_s.so.1', 'libc.so.6'])
  for (const name of closeLibraries(programs, libraries)) {
    const path = home.get(name)
    if (path !== undefined) await copy(await inside(unpacked, path), join(root, path))
  }
}

async function addApplets(root: string): Promise<void> {
  const busybox = join(root, 'usr/bin/busybox')
  const own = new Set(await readdir(join(root, 'usr/sbin')))
  for (const applet of appletsOf(await readFile(busybox)).filter(isNamed)) {
    if (applet === 'busybox' || own.has(applet)) continue
    await symlink('busybox', join(root, 'usr/bin', applet)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error // a program of its own, better than the applet
    })
  }
}

/** Unpacked, because squashfs compresses them better than each for itself, and busybox's modprobe reads no xz. */
async function addModules({ unpacked, root, initramfs, tools }: { unpacked: string; root: string; initramfs: string; tools: Tools }) {
  const version = await kernelVersion(unpacked)
  const tree = join(unpacked, 'usr/lib/modules', version)
  await tools.run('depmod', ['-b', unpacked, version])
  const all = parseModulesDep(await readFile(join(tree, 'modules.dep'), 'utf8'))
  const aliases = await readFile(join(tree, 'modules.alias'), 'utf8')
  const slot = closeModules(all, inSlot)
  const packed = slot.filter((path) => path.endsWith('.xz')).map((path) => join(tree, path))
  for (let at = 0; at < packed.length; at += 200) await tools.run('xz', ['-d', '-T1', ...packed.slice(at, at + 200)])
  for (const [to, chosen] of [
    [join(root, 'usr/lib/modules', version), slot],
    [join(initramfs, 'usr/lib/modules', version), closeModules(all, inInitramfs)],
  ] as const) {
    for (const path of chosen) await copy(join(tree, uncompressed(path)), join(to, uncompressed(path)))
    await writeFile(join(to, 'modules.dep'), formatModulesDep(all, chosen))
    await writeFile(join(to, 'modules.alias'), filterAliases(aliases, chosen))
    await writeFile(join(to, 'modules.symbols'), '')
    for (const name of ['modules.builtin', 'modules.order']) await copy(join(tree, name), join(to, name))
  }
}

async function listFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort()
}

/** The file behind a path of an unpacked tree, whose links may be absolute. */
async function inside(root: string, path: string): Promise<string> {
  const full = join(root, path)
  if (!(await lstat(full)).isSymbolicLink()) return full
  const target = await readlink(full)
  return inside(root, target.startsWith('/') ? target.slice(1) : join(dirname(path), target))
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await copyFile(from, to)
  await chmod(to, (await lstat(from)).mode & 0o111 ? 0o755 : 0o644)
}
