import { glob, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import type { Apt } from '../../../engines/apt/apt.ts'
import { ArchiveError } from '../../../engines/apt/archive.ts'
import { type PrivateApt, withPrivateApt } from '../../../engines/apt/private.ts'
import { isThere, type PartSpec } from './spec.ts'

/** A part that cannot be had; names each place tried. */
export class PartError extends Error {
  readonly code = 'part'
}

export interface FetchDeps {
  apt: Apt
  /** Package lists and unpacked packages. */
  workDirectory: string
  signal: AbortSignal
  /** Root of the machine's files; another one in tests. */
  machine?: string | undefined
}

export interface Found {
  version: string
  from: string
  /** By the part's own file names. */
  paths: Record<string, string>
}

/** The package that is installed on this machine, when it has all that is wanted. */
export async function findOnMachine(spec: PartSpec, { machine = '/', signal }: FetchDeps): Promise<Found | undefined> {
  const asked = await execa('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Architecture} ${Version}', spec.package], {
    reject: false,
    stdin: 'ignore',
    cancelSignal: signal,
  })
  signal.throwIfAborted()
  const [status, architecture, version] = String(asked.stdout ?? '').split(' ')
  if (
    asked.failed ||
    status !== 'installed' ||
    version === undefined ||
    (spec.architecture !== 'all' && architecture !== spec.architecture)
  )
    return undefined
  if (spec.refuse?.(version) !== undefined) return undefined
  const paths = await pathsIn(spec, machine)
  return typeof paths === 'string' ? undefined : { version, from: 'machine', paths }
}

/** From the archive, the first of the spec's releases that has it; unpacked below `directory`. Throws PartError. */
export async function fetchPackage(spec: PartSpec, directory: string, deps: FetchDeps): Promise<Found> {
  const tried: string[] = []
  for (const suite of spec.suites) {
    const found = await fetchFrom(spec, suite, join(directory, suite ?? 'own'), deps)
    if (typeof found !== 'string') return found
    tried.push(found)
  }
  throw new PartError(`package ${spec.package} (${Object.keys(spec.files).join(', ')}) cannot be had. ${tried.join('. ')}`)
}

async function fetchFrom(spec: PartSpec, suite: string | undefined, directory: string, deps: FetchDeps): Promise<Found | string> {
  const { apt, workDirectory, signal } = deps
  const { architecture, components } = spec
  try {
    return await withPrivateApt({ apt, suite, architecture, components, workDirectory, signal }, async (archive) => {
      const has = `Debian ${archive.suite} has`
      const offered = await archive.version(spec.package)
      if (offered === undefined) return `${has} no package ${spec.package}`
      const refused = spec.refuse?.(offered)
      if (refused !== undefined) return `${has} ${offered}: ${refused}`
      const named = await archive.download(spec.package, directory)
      const file = spec.dependency ? await dependency(spec.dependency, named.file, archive, directory) : named.file
      const paths = await unpacked(spec, file, directory, signal)
      return typeof paths === 'string'
        ? `${has} ${named.version}: ${paths}`
        : { version: named.version, from: `Debian ${archive.suite}`, paths }
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ArchiveError) return error.message
    throw error
  }
}

/** The package that an empty one stands for. */
async function dependency(name: RegExp, file: string, archive: PrivateApt, directory: string): Promise<string> {
  const { stdout } = await execa('dpkg-deb', ['--field', file, 'Depends'], { stdin: 'ignore' })
  const found = stdout.split(/[,|]/).map((one) => one.trim().split(/[\s(:]/)[0] ?? '')
  const wanted = found.find((one) => name.test(one))
  if (wanted === undefined) throw new ArchiveError(`${basename(file)} depends on nothing that fits ${name}`)
  return (await archive.download(wanted, directory)).file
}

async function unpacked(spec: PartSpec, file: string, directory: string, signal: AbortSignal): Promise<Record<string, string> | string> {
  const root = join(directory, 'root')
  const run = { stdin: 'ignore', cancelSignal: signal } as const
  if (spec.dependency === undefined) await execa('dpkg-deb', ['--extract', file, root], run)
  else {
    // Of a kernel's 500 MiB only what is wanted. tar complains of each pattern that fits nothing; that is told below, by name.
    await mkdir(root)
    const wanted = Object.values(spec.files).flatMap((candidates) => candidates.map((candidate) => `./${candidate}`))
    const archive = execa('dpkg-deb', ['--fsys-tarfile', file], { ...run, buffer: false })
    await archive.pipe('tar', ['--extract', '--directory', root, '--wildcards', '--no-same-owner', ...wanted], { reject: false })
    signal.throwIfAborted()
  }
  return pathsIn(spec, root)
}

/** Where the files lie, or a sentence on the first that lies nowhere. */
async function pathsIn(spec: PartSpec, root: string): Promise<Record<string, string> | string> {
  const paths: Record<string, string> = {}
  for (const [name, candidates] of Object.entries(spec.files)) {
    const fitting = (await Promise.all(candidates.map((candidate) => placesOf(candidate, root)))).flat()
    const there = await Promise.all(fitting.map((candidate) => isThere(join(root, candidate))))
    const found = fitting[there.indexOf(true)]
    if (found === undefined) return `it has no ${candidates.join(' nor ')}`
    paths[name] = join(root, found)
  }
  return paths
}

/** A path, or those that fit one with `*` in it. */
async function placesOf(candidate: string, root: string): Promise<string[]> {
  if (!candidate.includes('*')) return [candidate]
  const places: string[] = []
  for await (const place of glob(candidate, { cwd: root })) places.push(place)
  return places.sort()
}
