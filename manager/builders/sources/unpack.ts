import { createWriteStream } from 'node:fs'
import { chmod, mkdir, readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { BuildError, type Limits, runConfined } from '../confine/confine.ts'
import { withTemporaryDirectory } from '../temporary.ts'
import { dscFiles, type SourceRef } from './source.ts'

export interface UnpackDeps {
  bucket: Bucket
  signal: AbortSignal
  workDirectory: string
  log(line: string): void | Promise<void>
  /** Enough for any loader's source unless told. */
  limits?: Limits
}

const LIMITS: Limits = { seconds: 300, memoryMiB: 1_024, processes: 64, outputMiB: 1_024 }
/** For a source that names no date: 2020-01-01. */
const NO_EPOCH = 1_577_836_800

/**
 * The source's files in `directory` (made, or empty), by its own tool in the sandbox: `dpkg-source -x` with the patches of the Debian package,
 * or tar. Returns the source's root below it, and the time that all its files have (seconds, for SOURCE_DATE_EPOCH). Throws BuildError `source` for paths and links that lead outside, and for what is no tarball.
 */
export async function unpackSource(ref: SourceRef, directory: string, deps: UnpackDeps): Promise<{ root: string; epoch: number }> {
  await mkdir(directory, { recursive: true })
  return withTemporaryDirectory(deps.workDirectory, 'unpack', async (packed) => {
    for (const file of ref.files) await copyOut(deps.bucket, file, join(packed, file.sha256))
    if (ref.kind === 'debian') await unpackDebian(ref, packed, directory, deps)
    else await unpackTarball(ref, packed, directory, deps)
    const links = await inSandbox(['find', '.', '-type', 'l', '-printf', '%p\\t%l\\n'], { packed, directory, deps })
    for (const line of links) {
      const [path = '', to = ''] = line.split('\t')
      if (leadsOutside(posix.join(posix.dirname(path), to)) || to.startsWith('/'))
        throw new BuildError('source', `${ref.name} ${ref.version} holds a link that leads outside: ${path} -> ${to}`)
    }
    const odd = await inSandbox(['find', '.', '!', '-type', 'f', '!', '-type', 'd', '!', '-type', 'l'], { packed, directory, deps })
    if (odd[0] !== undefined) throw new BuildError('source', `${ref.name} ${ref.version} holds ${odd[0]}, which is no ordinary file`)
    const root = await rootOf(directory)
    const epoch = await epochOf(root)
    // One time for all: nothing is made anew because patching took a second, and no time of today gets into what is built.
    await inSandbox(['find', '.', '-exec', 'touch', '-h', '-d', `@${epoch}`, '{}', '+'], { packed, directory, deps })
    return { root, epoch }
  })
}

interface Places {
  packed: string
  directory: string
  deps: UnpackDeps
}

async function unpackDebian(ref: SourceRef, packed: string, directory: string, deps: UnpackDeps): Promise<void> {
  const dsc = ref.files.find((file) => file.name.endsWith('.dsc'))
  if (!dsc) throw new BuildError('source', `${ref.name} ${ref.version} has no .dsc`)
  const names = dscFiles(await readFile(join(packed, dsc.sha256), 'utf8')).filter(({ sha256 }) =>
    ref.files.some((file) => file.sha256 === sha256),
  )
  // dpkg-source wants the names that the .dsc gives; artifacts' names know fewer characters.
  const links = names.flatMap(({ sha256, name }) => ['ln', '-s', `/packed/${sha256}`, `/tmp/${name}`, '&&'])
  const script = `${links.join(' ')} ln -s /packed/${dsc.sha256} /tmp/package.dsc && dpkg-source --no-copy -x /tmp/package.dsc /build/source`
  await inSandbox(['sh', '-c', script], { packed, directory, deps })
}

async function unpackTarball(ref: SourceRef, packed: string, directory: string, deps: UnpackDeps): Promise<void> {
  const [file] = ref.files
  const tarball = `/packed/${file?.sha256}`
  const places = { packed, directory, deps }
  const names = await inSandbox(['tar', '--list', '--quoting-style=literal', '--absolute-names', '-f', tarball], places)
  const bad = names.find((name) => name.startsWith('/') || leadsOutside(name))
  if (bad !== undefined) throw new BuildError('source', `${file?.name} holds a path that leads outside: ${bad}`)
  await inSandbox(['tar', '--extract', '--no-same-owner', '--no-same-permissions', '-f', tarball], places)
}

/** Lines that the command wrote. What goes wrong is the source's fault, unless this machine lacks the tools. */
async function inSandbox(argv: [string, ...string[]], { packed, directory, deps }: Places): Promise<string[]> {
  const lines: string[] = []
  await runConfined({
    argv,
    cwd: '/build',
    readOnly: [{ from: packed, to: '/packed' }],
    writable: [{ from: directory, to: '/build' }],
    env: {},
    limits: deps.limits ?? LIMITS,
    signal: deps.signal,
    onLine: (line) => void lines.push(line),
  }).catch(async (cause: unknown) => {
    if (!(cause instanceof BuildError) || cause.reason !== 'exit') throw cause
    const missing = /(xz|bzip2|zstd|dpkg-source|lzip)\b.*(not found|No such file|Cannot exec)/.exec(cause.message)
    if (missing)
      throw new BuildError('tools', `${cause.message} (apt-get install dpkg-dev xz-utils zstd bzip2)`, { cause, lines: cause.lines })
    throw new BuildError('source', `cannot be unpacked: ${cause.message}`, { cause, lines: cause.lines })
  })
  return lines
}

const leadsOutside = (path: string) => posix.normalize(path).startsWith('..')

async function copyOut(bucket: Bucket, file: ArtifactRef, to: string): Promise<void> {
  await pipeline(await bucket.get(file.sha256), createWriteStream(to, { flags: 'wx' }))
  await chmod(to, 0o644) // whatever the umask is: the build user reads it
}

/** Tarballs mostly hold one directory, named for the version; its inside is the source. */
async function rootOf(directory: string): Promise<string> {
  const [only, ...more] = await readdir(directory, { withFileTypes: true })
  return only?.isDirectory() && more.length === 0 ? join(directory, only.name) : directory
}

/** Seconds for SOURCE_DATE_EPOCH: when Debian's changelog was last written, else one and the same. */
async function epochOf(root: string): Promise<number> {
  const text = await readFile(join(root, 'debian', 'changelog'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return ''
    throw error
  })
  const written = Date.parse(/^ -- .*> {2}(.*)$/m.exec(text)?.[1] ?? '')
  return Number.isNaN(written) ? NO_EPOCH : written / 1000
}
