import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { ApplianceImageError } from './error.ts'
import { keptDirectory } from './kept-directory.ts'
import { readLock } from './locks.ts'
import { getPackages, type PackageDeps } from './packages.ts'

/** Programs that build, of the locked Debian release whatever this machine runs: equal programs make equal bytes. */
export interface Tools {
  /** Runs one to its end; its standard output. Throws ExecaError, or the signal's reason. */
  run(program: string, args: readonly string[], options?: { cwd?: string; env?: Record<string, string> }): Promise<string>
  /** For PATH: all of them by name. */
  readonly bin: string
  /** Where their packages lie unpacked. */
  readonly root: string
}

const HOSTS = {
  x64: { lock: 'tools-amd64', loader: 'usr/lib64/ld-linux-x86-64.so.2', libraries: 'usr/lib/x86_64-linux-gnu' },
  arm64: { lock: 'tools-arm64', loader: 'usr/lib/ld-linux-aarch64.so.1', libraries: 'usr/lib/aarch64-linux-gnu' },
} as const

/** Throws ApplianceImageError on a machine that has no such programs, ArchiveError when they cannot be had. */
export async function getTools(deps: PackageDeps & { machine?: string }): Promise<Tools> {
  const host = HOSTS[(deps.machine ?? process.arch) as keyof typeof HOSTS]
  if (!host) throw new ApplianceImageError(`appliance images are built on Linux x64 and arm64, not on ${process.arch}`)
  const lock = await readLock(host.lock)
  const key = lock.packages.map(({ sha256 }) => sha256).join()
  const root = await keptDirectory({ ...deps, name: 'tools', key }, async (directory) => {
    const debs = await getPackages(lock, lock.packages, deps)
    for (const deb of debs.values()) await execa('dpkg-deb', ['-x', deb, directory], { cancelSignal: deps.signal })
  })
  const bin = join(root, 'bridgehead-bin')
  await writeStarters(root, bin, host)
  return {
    root,
    bin,
    async run(program, args, { cwd = root, env = {} } = {}) {
      try {
        const done = await execa(join(bin, program), args, {
          cwd,
          stdin: 'ignore',
          cancelSignal: deps.signal,
          maxBuffer: 64 << 20,
          env: { PATH: `${bin}:${process.env.PATH}`, LC_ALL: 'C', TZ: 'UTC', ...env },
        })
        return done.stdout
      } catch (error) {
        deps.signal.throwIfAborted() // what a killed child says is not the reason
        throw error
      }
    },
  }
}

/** A script a program, that starts it with its own C library. Each time anew: the directory may have been moved. */
async function writeStarters(root: string, bin: string, { loader, libraries }: { loader: string; libraries: string }): Promise<void> {
  await mkdir(bin, { recursive: true })
  for (const folder of ['usr/bin', 'usr/sbin'])
    for (const name of await readdir(join(root, folder))) {
      const start = `exec ${join(root, loader)} --library-path ${join(root, libraries)} ${join(root, folder, name)} "$@"`
      await writeFile(join(bin, name), `#!/bin/sh\n${start}\n`, { mode: 0o755 })
    }
}
