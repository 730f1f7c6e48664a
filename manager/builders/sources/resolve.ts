import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { Apt } from '../../engines/apt/apt.ts'
import { ArchiveError } from '../../engines/apt/archive.ts'
import { withPrivateApt } from '../../engines/apt/private.ts'
import { type Bucket, BucketError } from '../../engines/bucket/bucket.ts'
import { BuildError } from '../confine/error.ts'
import { withTemporaryDirectory } from '../temporary.ts'
import { artifactName, describeSource, type Source, SourceRef } from './source.ts'

export interface SourceDeps {
  bucket: Bucket
  apt: Apt
  clock: Clock
  signal: AbortSignal
  workDirectory: string
  log(line: string): void | Promise<void>
}

export const LARGEST_SOURCE_BYTES = 256 * 1_048_576
const DOWNLOAD_MS = 600_000

/**
 * The first of `sources` that can be had, as files in the bucket. Resolved once: a document remembers it, and the same wish gives the same
 * source as long as its files are there. `missing`: places that are known to have nothing. Throws BuildError `source`, which names each place tried and what was wrong there.
 */
export async function resolveSource(sources: readonly Source[], deps: SourceDeps, missing: readonly string[] = []): Promise<SourceRef> {
  const tried = [...missing]
  for (const source of sources) {
    try {
      return (await remembered(source, deps)) ?? (await remember(source, await fetchSource(source, deps), deps))
    } catch (error) {
      deps.signal.throwIfAborted()
      if (!(error instanceof ArchiveError || error instanceof BuildError || error instanceof BucketError)) throw error
      tried.push(`${describeSource(source)}: ${error.message}`)
      await deps.log(`source: ${tried.at(-1)}`)
    }
  }
  throw new BuildError('source', `no source could be had. Tried: ${tried.map((line, index) => `(${index + 1}) ${line}`).join('; ')}`)
}

const documentKey = (source: Source) => {
  const sorted = Object.fromEntries(Object.entries(source).sort(([a], [b]) => (a < b ? -1 : 1)))
  return `sources/${createHash('sha256').update(JSON.stringify(sorted)).digest('hex')}.json`
}

async function remembered(source: Source, { bucket }: SourceDeps): Promise<SourceRef | undefined> {
  const known = SourceRef.safeParse(await bucket.getDocument(documentKey(source))).data
  for (const file of known?.files ?? []) if (!(await bucket.head(file.sha256))) return undefined
  return known
}

async function remember(source: Source, ref: SourceRef, { bucket, log }: SourceDeps): Promise<SourceRef> {
  await bucket.putDocument(documentKey(source), ref)
  await log(`source: ${ref.name} ${ref.version} from ${ref.from}`)
  return ref
}

async function fetchSource(source: Source, deps: SourceDeps): Promise<SourceRef> {
  switch (source.kind) {
    case 'debian':
      return fromDebian(source, deps)
    case 'url':
      return fromUrl(source, deps)
    case 'upload': {
      const stored = await deps.bucket.head(source.sha256)
      if (!stored) throw new BuildError('source', 'it is not in the bucket; upload it first')
      const { name, version } = source
      return { kind: 'upload', name, version, files: [{ ...stored, name: artifactName(`${name}-${version}.tar`) }], from: 'upload' }
    }
  }
}

async function fromDebian(
  source: Extract<Source, { kind: 'debian' }>,
  { bucket, apt, signal, workDirectory, clock }: SourceDeps,
): Promise<SourceRef> {
  const options = {
    apt,
    suite: source.suite,
    architecture: 'all',
    components: ['main'],
    sourcePackages: true,
    workDirectory,
    signal,
    clock,
  } as const
  return withPrivateApt(options, (archive) =>
    withTemporaryDirectory(workDirectory, 'source', async (directory) => {
      const found = await archive.source(source.package, directory, source.version)
      const files: ArtifactRef[] = []
      for (const path of [found.dsc, ...found.files.filter((file) => file !== found.dsc)]) files.push(await putFile(bucket, path))
      const place = found.places.find((uri) => uri.endsWith('.dsc')) ?? archive.suite
      return { kind: 'debian', name: source.package, version: found.version, files, from: place }
    }),
  )
}

async function fromUrl(source: Extract<Source, { kind: 'url' }>, { bucket, signal, clock }: SourceDeps): Promise<SourceRef> {
  const { name, version, sha256, url } = source
  const ref = (stored: { sha256: string; bytes: number }): SourceRef => ({
    kind: 'url',
    name,
    version,
    files: [{ ...stored, name: artifactName(basename(new URL(url).pathname) || `${name}-${version}.tar`) }],
    from: url,
  })
  const before = await bucket.head(sha256)
  if (before) return ref(before)
  const late = new AbortController()
  const cancel = clock.after(DOWNLOAD_MS, () => late.abort(new BuildError('source', `no answer within ${DOWNLOAD_MS / 1000} s`)))
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, late.signal]) })
    if (!answer.ok || !answer.body) throw new BuildError('source', `the server answered ${answer.status} ${answer.statusText}`)
    const body = limited(Readable.fromWeb(answer.body), LARGEST_SOURCE_BYTES)
    return ref(await bucket.put(body, { name: `${name} ${version}`, sha256 }))
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof BuildError || cause instanceof BucketError) throw cause
    if (late.signal.aborted) throw late.signal.reason
    // fetch says "fetch failed" and hides why
    const why = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause)
    throw new BuildError('source', `cannot be fetched: ${why}`, { cause })
  } finally {
    cancel()
  }
}

/** Throws BuildError `source` when more comes than `most` bytes. */
export async function* limited(body: AsyncIterable<Uint8Array>, most: number): AsyncIterable<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > most) throw new BuildError('source', `larger than ${most / 1_048_576} MiB`)
    yield chunk
  }
}

async function putFile(bucket: Bucket, path: string): Promise<ArtifactRef> {
  const name = artifactName(basename(path))
  return { ...(await bucket.put(createReadStream(path), { name })), name }
}
