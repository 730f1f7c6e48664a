import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { COMPRESSED, type Compressed, compressStream, type Format } from './formats.ts'
import { chunksOf, type Segment, sliceSegments } from './segments.ts'

/**
 * What lies before bridgehead.json and what lies behind it, each as one compressed frame: made once for an image. A download puts its own
 * small frame between them.
 */
export const Frames = z.object({
  /** Of the image without personal bytes; frames of another one are worthless. */
  sha256: z.string(),
  formats: z.partialRecord(z.enum(COMPRESSED), z.object({ before: ArtifactRef, behind: ArtifactRef })),
})
export type Frames = z.infer<typeof Frames>

export class FramesError extends Error {
  readonly code = 'frames'
}

/** The whole disk as pieces: what lies in the bucket, and the zeros that do not. */
export function diskOf({ image }: ApplianceImageManifest): Segment[] {
  return [
    { kind: 'object', sha256: image.raw.sha256, start: 0, bytes: image.raw.bytes },
    { kind: 'zeros', bytes: image.bytes - image.raw.bytes },
  ]
}

/** Pieces of a download. `own`: bridgehead.json of 4096 bytes, or its frame in that format. Undefined while the frames are not made. */
export function downloadOf(
  manifest: ApplianceImageManifest,
  frames: Frames | undefined,
  format: Format,
  own: Uint8Array,
): Segment[] | undefined {
  const middle: Segment = { kind: 'memory', data: own }
  if (format === 'img') {
    const { configOffset, configBytes, bytes } = manifest.image
    const disk = diskOf(manifest)
    return [...sliceSegments(disk, 0, configOffset - 1), middle, ...sliceSegments(disk, configOffset + configBytes, bytes - 1)]
  }
  const made = frames?.sha256 === manifest.image.sha256 ? frames.formats[format] : undefined
  const whole = ({ sha256, bytes }: ArtifactRef): Segment => ({ kind: 'object', sha256, start: 0, bytes })
  return made && [whole(made.before), middle, whole(made.behind)]
}

const frameDocument = (hash: string) => `appliance-image-frames/${hash}.json`

export async function findFrames(bucket: Pick<Bucket, 'getDocument'>, manifest: ApplianceImageManifest): Promise<Frames | undefined> {
  const found = Frames.safeParse(await bucket.getDocument(frameDocument(manifest.image.sha256))).data
  return found?.sha256 === manifest.image.sha256 ? found : undefined
}

/** Without those whose bytes the bucket has lost: they are made again. */
export async function soundFrames(
  bucket: Pick<Bucket, 'getDocument' | 'head'>,
  manifest: ApplianceImageManifest,
): Promise<Frames | undefined> {
  const found = await findFrames(bucket, manifest)
  if (!found) return undefined
  const formats: Frames['formats'] = {}
  for (const format of COMPRESSED) {
    const made = found.formats[format]
    if (made && (await bucket.head(made.before.sha256)) && (await bucket.head(made.behind.sha256))) formats[format] = made
  }
  return { ...found, formats }
}

/**
 * Makes the frames that are not there yet; after each format they are known, so that a repeated job goes on where it was. Constant memory.
 * Throws FramesError when the image's bytes are not those of its manifest.
 */
export async function makeFrames(
  manifest: ApplianceImageManifest,
  { bucket, progress, signal }: { bucket: Bucket; progress: (fraction: number, text: string) => unknown; signal: AbortSignal },
): Promise<Frames> {
  const { sha256, configOffset, configBytes, bytes } = manifest.image
  const disk = diskOf(manifest)
  const frames = (await soundFrames(bucket, manifest)) ?? { sha256, formats: {} }
  if (Object.keys(frames.formats).length === 0) await checkDisk(manifest, disk, bucket, progress)
  const frame = async (format: Compressed, start: number, end: number, name: string): Promise<ArtifactRef> => {
    const source = Readable.from(chunksOf(sliceSegments(disk, start, end), bucket.get), { objectMode: false, highWaterMark: 256 * 1024 })
    return { name, ...(await bucket.put(compressStream(format, source, signal), { name })) }
  }
  for (const [index, format] of COMPRESSED.entries()) {
    if (frames.formats[format]) continue
    await progress(0.25 + (0.75 * index) / COMPRESSED.length, `compressing for .${format}`)
    signal.throwIfAborted()
    const [, suffix] = format.split('.')
    const before = await frame(format, 0, configOffset - 1, `before.${suffix}`)
    const behind = await frame(format, configOffset + configBytes, bytes - 1, `behind.${suffix}`)
    frames.formats[format] = { before, behind }
    await bucket.putDocument(frameDocument(sha256), frames)
  }
  await progress(1, 'ready')
  return frames
}

async function checkDisk(
  manifest: ApplianceImageManifest,
  disk: Segment[],
  bucket: Bucket,
  progress: (fraction: number, text: string) => unknown,
) {
  await progress(0, 'checking the image')
  const hash = createHash('sha256')
  for await (const chunk of chunksOf(disk, bucket.get)) hash.update(chunk)
  const got = hash.digest('hex')
  if (got !== manifest.image.sha256)
    throw new FramesError(`the image's bytes have sha256 ${got}; its manifest says ${manifest.image.sha256}: build it again`)
}
