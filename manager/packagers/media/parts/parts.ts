import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Bucket } from '../../../engines/bucket/bucket.ts'
import { withWorkDirectory } from '../../host-image/work-directory.ts'
import { type FetchDeps, fetchPackage, findOnMachine } from './fetch.ts'
import { isThere, namesOf, type PartSpec } from './spec.ts'

/** A part as the bucket knows it. */
export const Part = z.object({
  name: z.string(),
  package: z.string(),
  version: z.string(),
  /** `machine`: of the package that is installed here; else the archive, without credentials. */
  from: z.string(),
  files: z.record(z.string(), ArtifactRef),
})
export type Part = z.infer<typeof Part>

/** A part whose files lie on this machine. */
export interface LocalPart {
  part: Part
  ref(file: string): ArtifactRef
  /** Only to be read. */
  path(file: string): string
}

export interface PartDeps extends FetchDeps {
  bucket: Bucket
  /** Kept from one medium to the next. */
  cacheDirectory: string
}

/**
 * The part: as the bucket has it, else from the package on this machine, else from the archive; stored in the bucket, so that every
 * worker takes the same bytes from then on. Throws PartError, with each place tried.
 */
export async function getPart(spec: PartSpec, edition: string, deps: PartDeps): Promise<LocalPart> {
  const key = `parts/${edition === '' ? 'first' : createHash('sha256').update(edition).digest('hex').slice(0, 32)}/${spec.name}.json`
  const known = await findPart(key, spec, deps.bucket)
  if (known) return local(known, deps)
  return withWorkDirectory(deps.workDirectory, 'part', async (directory) => {
    const found = (await findOnMachine(spec, deps)) ?? (await fetchPackage(spec, directory, deps))
    const files: Part['files'] = {}
    for (const [name, path] of Object.entries(await made(spec, found.paths, directory, deps.signal)))
      files[name] = { ...(await deps.bucket.put(createReadStream(path), { name, bytes: (await stat(path)).size })), name }
    const part: Part = { name: spec.name, package: spec.package, version: found.version, from: found.from, files }
    await deps.bucket.putDocument(key, part)
    return local(part, deps)
  })
}

async function made(spec: PartSpec, paths: Record<string, string>, work: string, signal: AbortSignal): Promise<Record<string, string>> {
  if (!spec.make) return paths
  const directory = join(work, 'make')
  await mkdir(directory)
  return spec.make.run(paths, { directory, signal })
}

/** When everything that the spec names by now is in it, and all of that still in the bucket. */
async function findPart(key: string, spec: PartSpec, bucket: Bucket): Promise<Part | undefined> {
  const { data: part } = Part.safeParse(await bucket.getDocument(key))
  if (!part || part.package !== spec.package) return undefined
  const refs = namesOf(spec).map((name) => part.files[name])
  const there = await Promise.all(refs.map(async (ref) => ref !== undefined && (await bucket.head(ref.sha256)) !== undefined))
  return there.every(Boolean) ? part : undefined
}

async function local(part: Part, { bucket, cacheDirectory }: PartDeps): Promise<LocalPart> {
  const paths = new Map<string, string>()
  for (const [name, ref] of Object.entries(part.files)) paths.set(name, await localFile(ref, { bucket, cacheDirectory }))
  const get = <T>(found: T | undefined, file: string): T => {
    if (found === undefined) throw new RangeError(`part ${part.name} has no file "${file}"`)
    return found
  }
  return { part, ref: (file) => get(part.files[file], file), path: (file) => get(paths.get(file), file) }
}

/** The artifact as a file of this machine: in the bucket itself, when that is a directory here, else a checked copy in the cache. */
export async function localFile(ref: ArtifactRef, { bucket, cacheDirectory }: { bucket: Bucket; cacheDirectory: string }): Promise<string> {
  if (bucket.path) return bucket.path(ref.sha256)
  const path = join(cacheDirectory, ref.sha256)
  if (await isThere(path)) return path
  await mkdir(cacheDirectory, { recursive: true })
  const next = join(cacheDirectory, `${ref.sha256}.${randomUUID()}`)
  try {
    await pipeline(await bucket.get(ref.sha256), createWriteStream(next, { mode: 0o600 }))
    const sha256 = createHash('sha256')
      .update(await readFile(next))
      .digest('hex')
    if (sha256 !== ref.sha256) throw new Error(`${ref.name}: the bucket gave bytes with sha256 ${sha256}, expected ${ref.sha256}`)
    await rename(next, path)
  } finally {
    await rm(next, { force: true })
  }
  return path
}
