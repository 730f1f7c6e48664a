import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type CpioEntry, encodeCpio } from './cpio.ts'
import { closeModules, filterAliases, formatModulesDep, parseModulesDep, uncompressed, wantedModules } from './modules.ts'

/** busybox applets that `init` and `udhcpc-script` call. */
const APPLETS =
  'awk base64 blockdev cat chmod chroot cp cttyhack cut env find grep head ip kill ln ls mkdir mkfifo modprobe mount od printf reboot rm sed setsid sh sha256sum sleep sort sync tail tee tr true udhcpc umount wget'.split(
    ' ',
  )
/** Programs of the machine that builds, with the libraries they load: what busybox has not, or not well enough. */
const PROGRAMS = ['zstd', 'dd', 'blkdiscard']
/**
 * Where those lie, started by wrappers that name their libraries. Not in the usual place: the static busybox would load a C library
 * that it finds there for looking up host names, and crash (seen with Debian 12's, 2026-11-22).
 */
const PRIVATE = 'programs'

export class InitramfsError extends Error {
  readonly code = 'initramfs'
}

/**
 * Makes the installer that a machine boots from the network: busybox, zstd, and the drivers of one kernel. The same input gives the
 * same bytes. `modulesTar`: `lib/modules/{version}` of the image. Returns the path of a zstd-compressed cpio.
 */
export async function buildDeployInitramfs({
  modulesTar,
  kernelVersion,
  kernel,
  workDirectory,
  signal,
}: {
  modulesTar: string
  kernelVersion: string
  kernel: 'cloud' | 'generic'
  workDirectory: string
  signal: AbortSignal
}): Promise<{ path: string; modules: number; bytes: number }> {
  const folder = join(workDirectory, 'initramfs')
  await mkdir(folder, { recursive: true })
  await execa('tar', ['-C', folder, '--no-same-owner', '-xf', modulesTar], { cancelSignal: signal })
  const tree = join(folder, 'lib', 'modules', kernelVersion)
  const all = parseModulesDep(await readFile(join(tree, 'modules.dep'), 'utf8'))
  const chosen = closeModules(all, wantedModules(kernel))
  const entries: CpioEntry[] = [...skeleton(), ...(await programs(signal))]
  for (const path of chosen)
    entries.push({ path: `lib/modules/${kernelVersion}/${uncompressed(path)}`, kind: 'file', bytes: await module(join(tree, path), signal) })
  const text = (name: string, content: string) =>
    entries.push({ path: `lib/modules/${kernelVersion}/${name}`, kind: 'file', bytes: new TextEncoder().encode(content) })
  text('modules.dep', formatModulesDep(all, chosen))
  text('modules.alias', filterAliases(await readFile(join(tree, 'modules.alias'), 'utf8'), chosen))
  text('modules.symbols', '')

  const cpio = join(workDirectory, 'deploy.cpio')
  const archive = encodeCpio([...entries, ...(await scripts())])
  await writeFile(cpio, archive)
  const path = `${cpio}.zst`
  // Levels above 19 want a window that the kernel's decoder refuses (8 MiB at most).
  await execa('zstd', ['-q', '-f', '-T0', kernel === 'cloud' ? '-19' : '-12', cpio, '-o', path], { cancelSignal: signal })
  return { path, modules: chosen.length, bytes: archive.length }
}

function skeleton(): CpioEntry[] {
  return [
    ...['dev', 'proc', 'sys', 'run', 'target', 'etc', 'tmp'].map((path): CpioEntry => ({ path, kind: 'directory' })),
    // The kernel opens it as the first process's standard output before anything is mounted.
    { path: 'dev/console', kind: 'device', major: 5, minor: 1 },
    ...APPLETS.map((name): CpioEntry => ({ path: `bin/${name}`, kind: 'link', target: 'busybox' })),
  ]
}

async function scripts(): Promise<CpioEntry[]> {
  const file = (name: string) => readFile(fileURLToPath(new URL(name, import.meta.url)))
  return [
    { path: 'init', kind: 'file', mode: 0o755, bytes: await file('./init') },
    { path: 'bin/udhcpc-script', kind: 'file', mode: 0o755, bytes: await file('./udhcpc-script') },
  ]
}

async function programs(signal: AbortSignal): Promise<CpioEntry[]> {
  const files = new Map<string, string>()
  const wrappers: CpioEntry[] = []
  for (const name of PROGRAMS) {
    const found = await find(name)
    files.set(`${PRIVATE}/${name}`, found)
    const { stdout } = await execa('ldd', [found], { cancelSignal: signal })
    let loader = ''
    for (const [library] of stdout.matchAll(/\/\S+\.so\S*/g)) {
      const file = basename(library)
      if (file.startsWith('ld-')) loader = file
      files.set(`${PRIVATE}/${file}`, library)
    }
    const run = `/${PRIVATE}/${loader} --library-path /${PRIVATE} /${PRIVATE}/${name}`
    const script = new TextEncoder().encode(`#!/bin/sh\nexec ${run} "$@"\n`)
    wrappers.push({ path: `bin/${name}`, kind: 'file', mode: 0o755, bytes: script })
  }
  const busybox = await find('busybox')
  const { stdout } = await execa('ldd', [busybox], { reject: false, cancelSignal: signal })
  if (/=>/.test(stdout)) throw new InitramfsError(`${busybox} is not static; install the Debian package busybox-static`)
  files.set('bin/busybox', busybox)
  const copied = [...files].map(
    async ([path, source]): Promise<CpioEntry> => ({ path, kind: 'file', mode: 0o755, bytes: await readFile(await realpath(source)) }),
  )
  return [...wrappers, ...(await Promise.all(copied))]
}

async function find(name: string): Promise<string> {
  for (const folder of ['/usr/bin', '/bin', '/usr/sbin', '/sbin'])
    if ((await readdir(folder).catch(() => [])).includes(name)) return join(folder, name)
  throw new InitramfsError(`this machine has no ${name}; the set-up installs it (npm run setup)`)
}

/** A module's bytes, unpacked: busybox's modprobe reads no xz, and the whole archive is compressed better than its parts. */
async function module(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const tool = path.endsWith('.xz') ? 'xz' : path.endsWith('.zst') ? 'zstd' : path.endsWith('.gz') ? 'gzip' : undefined
  if (tool === undefined) return readFile(path)
  return (await execa(tool, ['-dc', path], { encoding: 'buffer', cancelSignal: signal })).stdout
}
