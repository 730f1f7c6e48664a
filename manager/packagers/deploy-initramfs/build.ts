import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type CpioEntry, encodeCpio } from './cpio.ts'
import { closeModules, filterAliases, formatModulesDep, parseModulesDep, uncompressed, wantedModules } from './modules.ts'

/** busybox applets that `init` and `udhcpc-script` call. */
const APPLETS =
  'awk base64 blockdev cat chmod chroot cp cttyhack cut dd env find grep head ip kill ln ls mkdir mkfifo modprobe mount od printf reboot rm sed setsid sh sha256sum sleep sort sync stat tail timeout tr true udhcpc umount uname usleep wget'.split(
    ' ',
  )
/**
 * Programs of the machine that builds, with the libraries they load: what busybox has not, or not well enough. They lie in `programs`
 * and are called by path, because busybox's shell takes its own applet wherever it has one of that name.
 */
const PROGRAMS = ['zstd', 'blkdiscard', 'tee']

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
    entries.push({
      path: `lib/modules/${kernelVersion}/${uncompressed(path)}`,
      kind: 'file',
      bytes: await module(join(tree, path), signal),
    })
  const text = (name: string, content: string) =>
    entries.push({ path: `lib/modules/${kernelVersion}/${name}`, kind: 'file', bytes: new TextEncoder().encode(content) })
  text('modules.dep', formatModulesDep(all, chosen))
  text('modules.alias', filterAliases(await readFile(join(tree, 'modules.alias'), 'utf8'), chosen))
  text('modules.symbols', '')

  const cpio = join(workDirectory, 'deploy.cpio')
  const archive = encodeCpio([...entries, ...(await scripts())])
  await writeFile(cpio, archive)
  const path = `${cpio}.zst`
  await execa('zstd', ['-q', '-f', '-T0', '-12', cpio, '-o', path], { cancelSignal: signal })
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
  for (const name of PROGRAMS) {
    const found = await find(name)
    files.set(`programs/${name}`, found)
    const { stdout } = await execa('ldd', [found], { cancelSignal: signal })
    for (const [library] of stdout.matchAll(/\/\S+\.so\S*/g)) files.set(library.slice(1), library)
  }
  const busybox = await find('busybox')
  const { stdout } = await execa('ldd', [busybox], { reject: false, cancelSignal: signal })
  if (/=>/.test(stdout)) throw new InitramfsError(`${busybox} is not static; install the Debian package busybox-static`)
  files.set('bin/busybox', busybox)
  return Promise.all(
    [...files].map(
      async ([path, source]): Promise<CpioEntry> => ({ path, kind: 'file', mode: 0o755, bytes: await readFile(await realpath(source)) }),
    ),
  )
}

async function find(name: string): Promise<string> {
  for (const folder of ['/usr/bin', '/bin', '/usr/sbin', '/sbin'])
    if ((await readdir(folder).catch((): string[] => [])).includes(name)) return join(folder, name)
  throw new InitramfsError(`this machine has no ${name}; the set-up installs it (npm run setup)`)
}

/** A module's bytes, unpacked: busybox's modprobe reads no xz, and the whole archive is compressed better than its parts. */
async function module(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const tool = path.endsWith('.xz') ? 'xz' : path.endsWith('.zst') ? 'zstd' : path.endsWith('.gz') ? 'gzip' : undefined
  if (tool === undefined) return readFile(path)
  return (await execa(tool, ['-dc', path], { encoding: 'buffer', cancelSignal: signal })).stdout
}
