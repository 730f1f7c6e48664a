import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { BLOCK_BYTES, BLOCK_HASH_BYTES, type ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { type ArtifactSource, FetchError, fetchArtifact } from '../uplink/cache/fetch.ts'
import { type BlockRange, coalesce } from './ranges.ts'
import { digest, eachBlock, readBack, readHead, SlotError, writeFully } from './slot-file.ts'

/** The source gives other bytes than the release promises: it, or someone on the way, is broken or meddles. */
export class WrongRelease extends Error {
  readonly code = 'release_wrong'
}

export interface Progress {
  /** Bytes of the slot that are right by now. */
  bytes: number
  total: number
  /** Bytes that travelled in this run, the index among them. */
  fetched: number
}

export interface Delivery {
  manifest: Pick<ReleaseManifest, 'slot' | 'blocks'>
  /** Called once the index is here, before the slot is touched: makes the slot writable and resolves with its device. */
  prepare(): Promise<string>
  /** Device of the slot that runs. */
  running: string
  source: ArtifactSource
  signal: AbortSignal
  progress(now: Progress): void
}

/** A rare sync keeps the kernel's unwritten pages few on a box with little memory. */
const SYNC_BYTES = 16_777_216

/**
 * Makes `target` hold the release, and reads it back from the medium. What lies there already stays, what the running slot has is copied,
 * only the rest travels. Nothing is remembered between runs: after any end, even of the power, the blocks themselves say how far it was.
 * Throws FetchError (try again), WrongRelease (the source is at fault), SlotError (the medium is), or what the disk throws.
 */
export async function deliver(delivery: Delivery): Promise<Progress> {
  const { manifest, signal, progress } = delivery
  const index = await fetchIndex(delivery)
  const target = await delivery.prepare()
  const now: Progress = { bytes: 0, total: manifest.slot.bytes, fetched: index.length }
  const missing = await compare(target, manifest.slot, index, signal)
  now.bytes = now.total - bytesOf(missing, manifest.slot)
  progress(now)
  const file = await open(target, 'r+')
  try {
    const written = async (block: number) => {
      missing.delete(block)
      now.bytes += lengthOf(block, manifest.slot)
      progress(now)
      if (now.bytes % SYNC_BYTES < BLOCK_BYTES) await file.datasync()
    }
    await copyLocal(delivery, file, index, missing, written)
    await fetchMissing(delivery, file, index, missing, now, written)
    await file.sync()
  } finally {
    await file.close()
  }
  await proveSlot(target, manifest.slot, signal)
  return now
}

/** Throws SlotError when the medium does not hold exactly `ref`. */
export async function proveSlot(device: string, ref: Pick<ArtifactRef, 'sha256' | 'bytes'>, signal: AbortSignal): Promise<void> {
  const found = await readBack(device, ref.bytes, signal)
  if (found !== ref.sha256) throw new SlotError(`read back from the medium, the slot has the sha256 ${found} instead of ${ref.sha256}`)
}

const countOf = (slot: ArtifactRef) => Math.ceil(slot.bytes / BLOCK_BYTES)
const lengthOf = (block: number, slot: ArtifactRef) => Math.min(BLOCK_BYTES, slot.bytes - block * BLOCK_BYTES)
const hashOf = (index: Buffer, block: number) => index.subarray(block * BLOCK_HASH_BYTES, (block + 1) * BLOCK_HASH_BYTES)
function bytesOf(blocks: ReadonlySet<number>, slot: ArtifactRef): number {
  let bytes = 0
  for (const block of blocks) bytes += lengthOf(block, slot)
  return bytes
}

async function fetchIndex({ manifest: { slot, blocks }, source, signal }: Delivery): Promise<Buffer> {
  if (blocks.bytes !== countOf(slot) * BLOCK_HASH_BYTES)
    throw new WrongRelease(`its index has ${blocks.bytes} bytes; ${slot.bytes} bytes of system need ${countOf(slot) * BLOCK_HASH_BYTES}`)
  const { body } = await fetchArtifact(source, blocks.sha256, 0, signal)
  const parts: Buffer[] = []
  let bytes = 0
  await read(body, signal, (chunk) => {
    parts.push(chunk)
    bytes += chunk.length
    if (bytes > blocks.bytes) throw new WrongRelease(`its index has more than the promised ${blocks.bytes} bytes`)
    return true
  })
  const index = Buffer.concat(parts)
  if (index.length < blocks.bytes) throw new FetchError(`the index ended at byte ${index.length} of ${blocks.bytes}`)
  if (createHash('sha256').update(index).digest('hex') !== blocks.sha256)
    throw new WrongRelease('its index has another sha256 than promised')
  return index
}

/** Which blocks of the target are not yet what they shall be. */
async function compare(target: string, slot: ArtifactRef, index: Buffer, signal: AbortSignal): Promise<Set<number>> {
  const missing = new Set<number>()
  const file = await open(target, 'r')
  try {
    await eachBlock(file, slot.bytes, signal, (block, at) => {
      if (block === undefined || !digest(block).equals(hashOf(index, at))) missing.add(at) // a bad sector heals when it is written
    })
  } catch (error) {
    if (!(error instanceof SlotError)) throw error
    throw new SlotError(`the slot's device ${error.message}`, { cause: error })
  } finally {
    await file.close()
  }
  return missing
}

/** What the running system has too, wherever it lies there, need not travel. */
async function copyLocal(
  { running, signal }: Delivery,
  target: FileHandle,
  index: Buffer,
  missing: ReadonlySet<number>,
  written: (block: number) => Promise<void>,
): Promise<void> {
  const head = missing.size === 0 ? undefined : await readHead(running)
  if (head === undefined) return
  const wanted = new Map<string, number[]>()
  for (const block of missing) {
    const key = hashOf(index, block).toString('latin1')
    wanted.set(key, [...(wanted.get(key) ?? []), block])
  }
  const file = await open(running, 'r')
  try {
    await eachBlock(file, head.bytes, signal, async (bytes) => {
      if (bytes === undefined) return // it travels instead
      const key = digest(bytes).toString('latin1')
      for (const block of wanted.get(key) ?? []) {
        await writeFully(target, bytes, block * BLOCK_BYTES)
        await written(block)
      }
      wanted.delete(key)
    })
  } finally {
    await file.close()
  }
}

async function fetchMissing(
  { manifest: { slot }, source, signal }: Delivery,
  target: FileHandle,
  index: Buffer,
  missing: ReadonlySet<number>,
  now: Progress,
  written: (block: number) => Promise<void>,
): Promise<void> {
  for (;;) {
    const [range] = coalesce([...missing].sort((a, b) => a - b))
    if (range === undefined) return
    await fetchRange(range)
  }

  async function fetchRange({ from, to }: BlockRange): Promise<void> {
    const end = Math.min((to + 1) * BLOCK_BYTES, slot.bytes)
    const { body, resumed } = await fetchArtifact(source, slot.sha256, from * BLOCK_BYTES, signal, end - 1)
    const first = resumed ? from : 0 // a source without ranges begins anew; what it gives on the way is taken all the same
    const block = Buffer.allocUnsafe(BLOCK_BYTES)
    let at = first
    let filled = 0
    await read(body, signal, async (chunk) => {
      now.fetched += chunk.length
      for (let used = 0; used < chunk.length && at <= to; ) {
        const part = chunk.copy(block, filled, used, used + lengthOf(at, slot) - filled)
        used += part
        filled += part
        if (filled < lengthOf(at, slot)) break
        await take(at, block.subarray(0, filled))
        at += 1
        filled = 0
      }
      return at <= to
    })
    if (at <= to) throw new FetchError(`the connection ended at byte ${at * BLOCK_BYTES + filled} of ${slot.bytes}`)
  }

  async function take(block: number, bytes: Buffer): Promise<void> {
    if (!missing.has(block)) return
    if (!digest(bytes).equals(hashOf(index, block)))
      throw new WrongRelease(`byte ${block * BLOCK_BYTES} and on: the source sends other bytes than the release promises`)
    await writeFully(target, bytes, block * BLOCK_BYTES)
    await written(block)
  }
}

/** Hands on each chunk until `each` says that it has enough. What breaks the connection becomes a FetchError; what `each` throws stays. */
async function read(
  body: AsyncIterable<Buffer> & { destroy(): unknown },
  signal: AbortSignal,
  each: (chunk: Buffer) => boolean | Promise<boolean>,
): Promise<void> {
  const chunks = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        signal.throwIfAborted()
        throw new FetchError('the connection broke', { cause })
      })
      if (next.done || !(await each(next.value))) return
    }
  } finally {
    body.destroy()
  }
}
