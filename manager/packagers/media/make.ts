import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { formatBytes } from '@bridgehead/shared/text/format.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import type { MakerDeps } from '../../engines/jobs/maker-deps.ts'
import { withWorkDirectory } from '../host-image/work-directory.ts'
import { MediaError } from './error.ts'
import { ingredients } from './ingredients.ts'
import { type CompileLoaders, resolveLoaders } from './loaders.ts'
import type { MadeFile, MediaInputs } from './maker.ts'
import { MAKERS } from './makers.ts'
import { PARTS, type PartName } from './parts/catalogue.ts'
import { getPart, type LocalPart } from './parts/parts.ts'
import { planMedia } from './plan.ts'
import { archMap } from './pxe.ts'
import { MediaManifest, mediaHash, mediaKey, type Output, type ResolvedMedia } from './recipe.ts'

/** Needs some 500 MiB in `workDirectory`. */
export interface MediaDeps extends MakerDeps {
  /** Loaders that must be compiled; without it such recipes are refused. */
  compile?: CompileLoaders | undefined
}

/**
 * Everything that a recipe asks for: from the bucket when it is there, else made now, all outputs side by side. The manifest is written
 * last, so that an interrupted job leaves nothing but unnamed bytes. Throws MediaError (naming the field, when one is to blame), PartError,
 * what a build throws, or the signal's reason.
 */
export async function makeMedia(resolved: ResolvedMedia, deps: MediaDeps): Promise<MediaManifest> {
  deps.signal.throwIfAborted()
  const hash = await hashOf(resolved)
  const found = await findMedia(deps.bucket, hash)
  if (found) return found
  return withWorkDirectory(deps.workDirectory, 'media', async (work) => {
    try {
      return await make(resolved, hash, work, deps)
    } catch (error) {
      deps.signal.throwIfAborted() // what a killed child says is not the reason
      throw error
    }
  })
}

export async function hashOf(resolved: ResolvedMedia): Promise<string> {
  return mediaHash(resolved, await ingredients())
}

/** The manifest, when all that it names is still in the bucket. */
export async function findMedia(bucket: Bucket, hash: string): Promise<MediaManifest | undefined> {
  const found = MediaManifest.safeParse(await bucket.getDocument(mediaKey(hash)))
  if (!found.success) return undefined
  const refs = Object.values(found.data.files).flat()
  const there = await Promise.all(refs.map(({ sha256 }) => bucket.head(sha256)))
  return there.every(Boolean) ? found.data : undefined
}

async function make(resolved: ResolvedMedia, hash: string, work: string, deps: MediaDeps): Promise<MediaManifest> {
  const { bucket, clock, signal, progress } = deps
  const step = async (fraction: number, text: string) => {
    await deps.log(text)
    await progress(fraction, text)
  }
  const { recipe, target } = resolved
  const started = clock.now()
  const seconds: Record<string, number> = {}
  const since = (from: number) => Math.round(clock.now() - from) / 1000

  await step(0.02, 'looking for the loaders')
  const parts = new Map<string, Promise<LocalPart>>()
  const part = (name: string): Promise<LocalPart> => {
    const spec = isPart(name) ? PARTS[name] : undefined
    if (!spec) return Promise.reject(new RangeError(`there is no part "${name}"`))
    const get = async () => {
      const got = await getPart(spec, recipe.edition, { ...deps, cacheDirectory: join(deps.workDirectory, 'parts') })
      await deps.log(`${got.part.package} ${got.part.version} is here (${got.part.from})`)
      return got
    }
    const known = parts.get(name) ?? get()
    parts.set(name, known)
    return known
  }
  const prebuilt = planMedia(resolved).platforms.some(({ way }) => way === 'prebuilt') ? (await part('ipxe')).part.version : undefined
  const plan = planMedia(resolved, prebuilt)
  const [refused] = plan.refusals
  if (refused) throw new MediaError(`${refused.field.join('.')}: ${refused.message}`, { field: refused.field })
  const loaders = await resolveLoaders(plan, part, {
    ...deps,
    cacheDirectory: join(deps.workDirectory, 'parts'),
    progress: (fraction, text) => progress(0.02 + 0.28 * fraction, text),
    ...(resolved.sources ? { sources: { ipxe: resolved.sources, grub: [], syslinux: [] } } : {}),
  })
  for (const [words, platforms] of Map.groupBy(plan.platforms, ({ way, why }) => `${way} loader, ${why}`))
    await deps.log(`${platforms.map(({ platform }) => platform).join(', ')}: ${words}`)
  seconds.loaders = since(started)

  let done = 0
  const inputs: Omit<MediaInputs, 'workDirectory'> = {
    ...{ hash, name: recipe.name ?? 'bridgehead', recipe, target, script: plan.script, loaders, part },
    ...{ uuid: (name: string) => uuidOf(hash, name), bundle: resolved.bundle, bucket, signal },
  }
  const makeOne = async (output: Output): Promise<[Output, ArtifactRef[]]> => {
    const from = clock.now()
    const workDirectory = join(work, output)
    await mkdir(workDirectory)
    const made = await MAKERS[output]({ ...inputs, workDirectory })
    signal.throwIfAborted()
    const refs = await Promise.all(made.map((file) => store(file, bucket)))
    seconds[output] = since(from)
    const bytes = refs.reduce((sum, ref) => sum + ref.bytes, 0)
    const names = refs.length > 3 ? `${refs.length} files` : refs.map(({ name }) => name).join(', ')
    await deps.log(`${output}: ${names}, ${formatBytes(bytes)}, after ${seconds[output]} s`)
    await progress(0.3 + (0.65 * ++done) / recipe.outputs.length, `${output} is made`)
    return [output, refs]
  }
  await step(0.3, `making ${recipe.outputs.join(', ')}`)
  const files = Object.fromEntries(await allOf(recipe.outputs.map(makeOne)))
  signal.throwIfAborted()

  const used = await Promise.all(parts.values())
  const manifest: MediaManifest = {
    kind: 'media',
    ...{ hash, recipe, target, script: plan.script, files },
    ways: plan.platforms.map(({ platform, way, why, script }) => ({ platform, way, why, script })),
    ...(recipe.outputs.includes('pxe') ? { archMap: archMap(loaders) } : {}),
    parts: Object.fromEntries(used.map((one) => [one.part.package, one.part.version]).sort()),
    seconds: { ...seconds, all: since(started) },
  }
  await bucket.putDocument(mediaKey(hash), manifest)
  await progress(1, 'done')
  return manifest
}

async function store(file: MadeFile, bucket: Bucket): Promise<ArtifactRef> {
  if ('ref' in file) return { ...file.ref, name: file.name }
  const stored =
    'bytes' in file
      ? await bucket.put(file.bytes, { name: file.name })
      : await bucket.put(createReadStream(file.path, { highWaterMark: 1 << 20 }), { name: file.name, bytes: (await stat(file.path)).size })
  return { ...stored, name: file.name }
}

/** Waits for all, also when one fails: their directory is removed afterwards, and nobody may still write in it. */
async function allOf<T>(work: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

/** RFC 9562 §5.8: made by a rule of our own. */
function uuidOf(hash: string, name: string): string {
  const bytes = createHash('sha256').update(`${name} ${hash}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function isPart(name: string): name is PartName {
  return Object.hasOwn(PARTS, name)
}
