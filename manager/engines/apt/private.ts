import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import { ExecaError, execa } from 'execa'
import type { Apt } from './apt.ts'
import { type Archive, ArchiveError, backportsOf, withoutCredentials } from './archive.ts'
import { downloadList, type PackageVersion, packageVersions, privateConfiguration, sourceLines } from './private-files.ts'

/** Debian's archive, read by an apt with a state directory of its own. Every file is checked by apt: signature of the index, sha256 of the file. */
export interface PrivateApt {
  /** Debian code name, such as trixie. */
  readonly suite: string
  /** Newest version (with `sources`: of the source package, without epoch); undefined when the archive has no such package. */
  version(pkg: string): Promise<string | undefined>
  /** The .deb, as a file in `toDirectory`. */
  download(pkg: string, toDirectory: string): Promise<{ file: string; version: string; sha256: string }>
  /** Newest version of each package, in the given order, with the names that it depends on. Throws ArchiveError naming what the archive has not. */
  newest(pkgs: readonly string[]): Promise<(PackageVersion & { depends: string[] })[]>
  /** These very packages, in one go: path of each one's .deb. Throws ArchiveError when the archive has another version by now, or other bytes. */
  downloadExactly(pkgs: readonly PackageVersion[], toDirectory: string): Promise<string[]>
  /** What `apt-get source --download-only` gives: paths in `toDirectory`, the .dsc among `files` too. Without `version`, the newest. */
  source(pkg: string, toDirectory: string, version?: string): Promise<{ dsc: string; files: string[]; version: string; places: string[] }>
}

export interface PrivateAptOptions {
  apt: Apt
  /** Debian code name; the machine's own release when left out. */
  suite?: string | undefined
  architecture: 'amd64' | 'arm64' | 'all'
  components: readonly string[]
  /** The suite's backports, and nothing else: newer packages of the next release, rebuilt for this one. */
  backports?: boolean | undefined
  /** Source packages instead of binary ones. */
  sourcePackages?: boolean | undefined
  /** Lists stay here, below `apt/`, and are good for an hour. */
  workDirectory: string
  signal: AbortSignal
  clock?: Clock
}

const FRESH_MS = 3_600_000

/**
 * Lends an apt that reads the same archive as this machine's, by the same way (mirror, keys, proxies), for any architecture and components.
 * It knows nothing of installed packages and changes nothing of the machine's. Throws ArchiveError, naming each place tried and what apt said.
 */
export async function withPrivateApt<T>(options: PrivateAptOptions, use: (archive: PrivateApt) => Promise<T>): Promise<T> {
  const { apt, suite, workDirectory, signal, clock = systemClock } = options
  await mkdir(workDirectory, { recursive: true })
  const whole = await apt.archive({ suite, workDirectory: join(workDirectory, 'apt', 'machine'), signal })
  const archive = options.backports ? backportsOf(whole) : whole
  const lines = sourceLines(archive, options)
  const reach = await apt.reach()
  const name = createHash('sha256')
    .update(JSON.stringify([lines, reach, options.architecture]))
    .digest('hex')
    .slice(0, 16)
  const directory = join(workDirectory, 'apt', `${archive.codename}-${options.sourcePackages ? 'source' : options.architecture}-${name}`)
  const run = runner({ directory, archive, signal })
  await inTurn(directory, async () => {
    if (await isFresh(directory, clock.now())) return
    await writeState(directory, lines, reach, options.architecture)
    await run(['apt-get', '-qq', 'update'], { exclusive: true, what: 'the package lists' })
    await writeFile(join(directory, 'updated'), '')
    await utimes(join(directory, 'updated'), clock.now() / 1000, clock.now() / 1000)
  })
  signal.throwIfAborted()
  return use({
    suite: archive.codename,
    version: (pkg) => (options.sourcePackages ? sourceVersion(run, pkg) : binaryVersion(run, pkg)),
    async download(pkg, toDirectory) {
      await mkdir(toDirectory, { recursive: true })
      const what = `package ${pkg}`
      // Asked in a directory without packages, for apt lists only what is not there yet.
      const list = downloadList(await run(['apt-get', '-qq', 'download', '--print-uris', pkg], { what }))
      const [one] = list
      const version = await binaryVersion(run, pkg)
      if (!one || version === undefined) throw new ArchiveError(`${what} is not in ${places(archive)}`)
      await run(['apt-get', '-qq', 'download', pkg], { what: `${what} (${withoutCredentials(one.uri)})`, cwd: toDirectory })
      const file = join(toDirectory, one.name)
      return { file, version, sha256: await sha256Of(file) }
    },
    async newest(pkgs) {
      const text = await run(['apt-cache', 'show', '--no-all-versions', ...pkgs], { what: `packages ${pkgs.join(', ')}` })
      const known = packageVersions(text)
      return pkgs.map((pkg) => {
        const found = known.get(pkg)
        if (!found) throw new ArchiveError(`package ${pkg} is not in ${places(archive)}`)
        return found
      })
    },
    async downloadExactly(pkgs, toDirectory) {
      await mkdir(toDirectory, { recursive: true })
      const wishes = pkgs.map(({ name, version }) => `${name}=${version}`)
      const what = `packages ${wishes.join(', ')}`
      await run(['apt-get', '-qq', 'download', ...wishes], { what, cwd: toDirectory })
      const bySha = new Map<string, string>()
      for (const name of await readdir(toDirectory)) bySha.set(await sha256Of(join(toDirectory, name)), join(toDirectory, name))
      return pkgs.map(({ name, version, sha256 }) => {
        const file = bySha.get(sha256)
        if (file === undefined) throw new ArchiveError(`package ${name} ${version} of ${places(archive)} does not have sha256 ${sha256}`)
        return file
      })
    },
    async source(pkg, toDirectory, version) {
      await mkdir(toDirectory, { recursive: true })
      const wish = version === undefined ? pkg : `${pkg}=${version}`
      const what = `source package ${wish}`
      const command = ['apt-get', '-qq', 'source', '--download-only', '--only-source']
      const list = downloadList(await run([...command, '--print-uris', wish], { what }))
      const uris = list.map((entry) => withoutCredentials(entry.uri))
      const dsc = list.find((entry) => entry.name.endsWith('.dsc'))
      if (!dsc) throw new ArchiveError(`${what} is not in ${places(archive)}`)
      await run([...command, wish], { what: `${what} (${uris.join(', ')})`, cwd: toDirectory })
      const text = await readFile(join(toDirectory, dsc.name), 'utf8')
      const found = /^Version: (\S+)$/m.exec(text)?.[1]
      if (found === undefined) throw new ArchiveError(`${what}: ${dsc.name} names no version`)
      return { dsc: join(toDirectory, dsc.name), files: list.map((entry) => join(toDirectory, entry.name)), version: found, places: uris }
    },
  })
}

type Run = (argv: string[], options: { what: string; cwd?: string; exclusive?: boolean }) => Promise<string>

/** Runs one apt command on the private state. Readers share its lock, `update` has it alone: also between processes. */
function runner({ directory, archive, signal }: { directory: string; archive: Archive; signal: AbortSignal }): Run {
  return async (argv, { what, cwd = directory, exclusive = false }) => {
    signal.throwIfAborted()
    try {
      const lock = ['--no-fork', exclusive ? '--exclusive' : '--shared', join(directory, 'lock')]
      const done = await execa('flock', [...lock, ...argv], {
        cwd,
        stdin: 'ignore',
        cancelSignal: signal,
        maxBuffer: 64 << 20,
        env: { APT_CONFIG: join(directory, 'apt.conf'), LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
      })
      return done.stdout
    } catch (cause) {
      signal.throwIfAborted()
      if (!(cause instanceof ExecaError)) throw cause
      const said = String(cause.stderr ?? '')
        .split('\n')
        .filter((line) => /^[EW]: /.test(line))
        .map(withoutCredentials)
      throw new ArchiveError(`${what} cannot be had from ${places(archive)}: ${said.join(' ') || cause.shortMessage}`, { cause })
    }
  }
}

async function binaryVersion(run: Run, pkg: string): Promise<string | undefined> {
  const text = await run(['apt-cache', 'policy', pkg], { what: `package ${pkg}` })
  const candidate = /^ {2}Candidate: (\S+)$/m.exec(text)?.[1]
  return candidate === '(none)' ? undefined : candidate
}

async function sourceVersion(run: Run, pkg: string): Promise<string | undefined> {
  const list = await run(['apt-get', '-qq', 'source', '--download-only', '--only-source', '--print-uris', pkg], {
    what: `source package ${pkg}`,
  }).catch((error: unknown) => {
    if (error instanceof ArchiveError && /Unable to find a source package/.test(error.message)) return ''
    throw error
  })
  const name = downloadList(list).find((entry) => entry.name.endsWith('.dsc'))?.name
  return name?.slice(name.indexOf('_') + 1, -'.dsc'.length)
}

async function writeState(directory: string, lines: readonly string[], reach: readonly string[], architecture: string): Promise<void> {
  for (const folder of ['lists/partial', 'cache/archives/partial']) await mkdir(join(directory, folder), { recursive: true, mode: 0o755 })
  const keyed = await Promise.all(lines.map(async (line, index) => withKeyFile(line, join(directory, `key-${index}.asc`))))
  await writeFile(join(directory, 'sources.list'), `${keyed.join('\n')}\n`, { mode: 0o600 }) // both may hold credentials
  await writeFile(join(directory, 'apt.conf'), privateConfiguration({ directory, reach, architecture }), { mode: 0o600 })
  await writeFile(join(directory, 'status'), '')
}

/** A key given as text becomes a file, because the one-line form can only name files. */
async function withKeyFile(line: string, file: string): Promise<string> {
  const match = /\[signed-by=(-----BEGIN[\s\S]*?)\] /.exec(line)
  if (!match?.[1]) return line
  await writeFile(file, `${match[1]}\n`)
  return line.replace(match[0], `[signed-by=${file}] `)
}

async function isFresh(directory: string, now: number): Promise<boolean> {
  const stamp = await stat(join(directory, 'updated')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return stamp !== undefined && now - stamp.mtimeMs < FRESH_MS && now >= stamp.mtimeMs - FRESH_MS
}

const turns = new Map<string, Promise<void>>()
async function inTurn(key: string, task: () => Promise<void>): Promise<void> {
  const before = turns.get(key) ?? Promise.resolve()
  const mine = before.then(task, task) // an earlier failure is told to its own caller
  turns.set(key, mine)
  await mine.finally(() => turns.get(key) === mine && turns.delete(key))
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

function places(archive: Archive): string {
  return archive.parts.map((part) => `${withoutCredentials(part.uri)} ${part.suite}`).join(', ')
}
