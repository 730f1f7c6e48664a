import { pipeline } from 'node:stream/promises'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { type Pack, pack } from 'tar-stream'
import type { Bucket } from '../../../engines/bucket/bucket.ts'
import { type BundleOrder, checkHeld } from './order.ts'

/** The same for every entry, so that the same order gives the same bytes. */
const SAME = { mode: 0o644, uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0), type: 'file' } as const

/**
 * Packs the bundle from the bucket into the bucket, streaming: memory stays small however large the images are, and nothing is visible
 * before all of it is there. Throws BundleError when the bucket has lost an artifact, and the reason of `signal`.
 */
export async function makeBundle(
  order: BundleOrder,
  { bucket, signal }: { bucket: Pick<Bucket, 'get' | 'put' | 'head'>; signal: AbortSignal },
): Promise<ArtifactRef> {
  for (const { artifact } of order.entries) await checkHeld(artifact, bucket)
  const tar = pack()
  const filling = fill(tar, order, { bucket, signal }).catch((error: Error) => {
    tar.destroy(error) // ends the put, which then keeps nothing
    throw error
  })
  const [stored] = await Promise.all([bucket.put(bytesOf(tar), { name: order.name, bytes: order.bytes }), filling])
  return { ...stored, name: order.name }
}

async function* bytesOf(tar: Pack): AsyncGenerator<Uint8Array> {
  for await (const chunk of tar) if (chunk instanceof Uint8Array) yield chunk
}

async function fill(
  tar: Pack,
  { entries }: BundleOrder,
  { bucket, signal }: { bucket: Pick<Bucket, 'get'>; signal: AbortSignal },
): Promise<void> {
  for (const { entry, artifact } of entries) {
    signal.throwIfAborted()
    const body = await bucket.get(artifact.sha256)
    await pipeline(body, tar.entry({ ...SAME, name: entry, size: artifact.bytes }), { signal })
  }
  tar.finalize()
}
