import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Apt } from '../../../engines/apt/apt.ts'
import { ArchiveError } from '../../../engines/apt/archive.ts'
import { withPrivateApt } from '../../../engines/apt/private.ts'
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
  dispose(): Promise<void>
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
  return typeof paths === 'string' ? undefined : { version, from: 'machine', paths, dispose: async () => {} }
}

/** From the archive, the first of the spec's releases that has it. Throws PartError. */
export async function fetchPackage(spec: PartSpec, deps: FetchDeps): Promise<Found> {
  const tried: string[] = []
  for (const suite of spec.suites) {
    const found = await fetchFrom(spec, suite, deps)
    if (typeof found !== 'string') return found
    tried.push(found)
  }
  throw new PartError(`package ${spec.package} (${Object.keys(spec.files).join(', ')}) cannot be had. ${tried.join('. ')}`)
}

async function fetchFrom(spec: PartSpec, suite: string | undefined, { apt, workDirectory, signal }: FetchDeps): Promise<Found | string> {
  const { architecture, components } = spec
  await mkdir(workDirectory, { recursive: true })
  const directory = await mkdtemp(join(workDirectory, 'part-'))
  const dispose = () => rm(directory, { recursive: true, force: true })
  try {
    return await withPrivateApt({ apt, suite, architecture, components, workDirectory, signal }, async (archive) => {
      const { file, version } = await archive.download(spec.package, directory)
      const refused = spec.refuse?.(version)
      const paths = refused ?? (await unpacked(spec, file, directory, signal))
      if (typeof paths !== 'string') return { version, from: `Debian ${archive.suite}`, paths, dispose }
      await dispose()
      return `Debian ${archive.suite} has ${version}: ${paths}`
    })
  } catch (error) {
    await dispose()
    signal.throwIfAborted()
    if (error instanceof ArchiveError) return error.message
    throw error
  }
}

async function unpacked(spec: PartSpec, file: string, directory: string, signal: AbortSignal): Promise<Record<string, string> | string> {
  const root = join(directory, 'root')
  await execa('dpkg-deb', ['--extract', file, root], { stdin: 'ignore', cancelSignal: signal })
  return pathsIn(spec, root)
}

/** Where the files lie, or a sentence on the first that lies nowhere. */
async function pathsIn(spec: PartSpec, root: string): Promise<Record<string, string> | string> {
  const paths: Record<string, string> = {}
  for (const [name, candidates] of Object.entries(spec.files)) {
    const there = await Promise.all(candidates.map((candidate) => isThere(join(root, candidate))))
    const found = candidates[there.indexOf(true)]
    if (found === undefined) return `it has no ${candidates.join(' nor ')}`
    paths[name] = join(root, found)
  }
  return paths
}
