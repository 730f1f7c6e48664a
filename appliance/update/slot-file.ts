import { createHash, hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { BLOCK_BYTES } from '@bridgehead/shared/model/release.ts'

/** What stands in a slot is not what should; `why` is a sentence for people. */
export class SlotError extends Error {
  readonly code = 'slot'
}

/** A squashfs begins with its superblock: magic 4 | ... | bytes_used 8 at 40 | ... up to 96 (Documentation/filesystems/squashfs.rst). */
const SUPERBLOCK_BYTES = 96
const MAGIC = 0x73717368
const USED_AT = 40
/** mksquashfs fills its file up to whole pages. */
const PAGE_BYTES = 4096

export interface SquashfsHead {
  /** Length of the file as mksquashfs made it. */
  bytes: number
  /** Digest of the superblock, which holds the time and the sizes: tells one system from another at a glance. */
  head: string
}

/** Undefined where no squashfs begins. */
export async function readHead(device: string): Promise<SquashfsHead | undefined> {
  const file = await open(device, 'r')
  try {
    const block = Buffer.alloc(SUPERBLOCK_BYTES)
    const { bytesRead } = await file.read(block, 0, block.length, 0)
    if (bytesRead < SUPERBLOCK_BYTES || block.readUInt32LE(0) !== MAGIC) return undefined
    const used = Number(block.readBigUInt64LE(USED_AT))
    if (!Number.isSafeInteger(used) || used < SUPERBLOCK_BYTES) return undefined
    return { bytes: Math.ceil(used / PAGE_BYTES) * PAGE_BYTES, head: digest(block).toString('hex') }
  } finally {
    await file.close()
  }
}

/**
 * Calls `each` with every block of the first `bytes`, the last one may be short; with undefined for one that the medium does not give
 * back any more (EIO). Stops early, and throws, when `signal` aborts.
 */
export async function eachBlock(
  file: Pick<FileHandle, 'read'>,
  bytes: number,
  signal: AbortSignal,
  each: (block: Buffer | undefined, index: number) => Promise<void> | void,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES)
  for (let at = 0, index = 0; at < bytes; at += BLOCK_BYTES, index++) {
    signal.throwIfAborted()
    const want = Math.min(BLOCK_BYTES, bytes - at)
    const got = await readFully(file, buffer, want, at)
    if (got !== undefined && got < want) throw new SlotError(`ends at byte ${at + got}, before its ${bytes}`)
    await each(got === undefined ? undefined : buffer.subarray(0, want), index)
  }
}

/** Undefined where the medium fails. */
export async function readFully(
  file: Pick<FileHandle, 'read'>,
  buffer: Uint8Array,
  length: number,
  position: number,
): Promise<number | undefined> {
  let got = 0
  while (got < length) {
    const read = await file.read(buffer, got, length - got, position + got).catch(unreadable)
    if (read === undefined) return undefined
    if (read.bytesRead === 0) break
    got += read.bytesRead
  }
  return got
}

function unreadable(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'EIO') return undefined
  throw error
}

/** The same for O_DIRECT, which must not be asked from the middle of a page on: a file's end is one. */
async function readPages(file: FileHandle, page: Uint8Array, length: number, position: number): Promise<number> {
  let got = 0
  while (got < length && got % PAGE_BYTES === 0) {
    const read = await file.read(page, got, length - got, position + got).catch(unreadable)
    if (read === undefined) throw new SlotError(`the medium does not give back what lies at byte ${position + got}`)
    if (read.bytesRead === 0) break
    got += read.bytesRead
  }
  return got
}

export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten
}

export function digest(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer')
}

/**
 * Reads what really lies on the medium, not what the kernel still remembers of the write: with O_DIRECT, which goes past the page cache.
 * That wants memory that begins at a page: V8 gives each resizable ArrayBuffer pages of its own, a Buffer begins anywhere. Where the file
 * system or the machine will not have it (EINVAL), the slot is read as usual. Resolves with the sha256 of the first `bytes`; `each` sees every block, in order.
 */
export async function readBack(
  device: string,
  bytes: number,
  signal: AbortSignal,
  each: (block: Uint8Array, index: number) => Promise<void> | void = () => undefined,
): Promise<string> {
  const file = await openDirect(device)
  try {
    const whole = createHash('sha256')
    const page = onPages()
    for (let at = 0, index = 0; at < bytes; at += BLOCK_BYTES, index++) {
      signal.throwIfAborted()
      const want = Math.min(BLOCK_BYTES, bytes - at)
      const got = await readPages(file, page, Math.ceil(want / PAGE_BYTES) * PAGE_BYTES, at)
      if (got < want) throw new SlotError(`ends at byte ${at + got}, before its ${bytes}`)
      const block = page.subarray(0, want)
      whole.update(block)
      await each(block, index)
    }
    return whole.digest('hex')
  } finally {
    await file.close()
  }
}

const onPages = () => new Uint8Array(new ArrayBuffer(BLOCK_BYTES, { maxByteLength: BLOCK_BYTES }))

async function openDirect(device: string): Promise<FileHandle> {
  let file: FileHandle | undefined
  try {
    file = await open(device, constants.O_RDONLY | constants.O_DIRECT)
    await file.read(onPages(), 0, PAGE_BYTES, 0)
    return file
  } catch (error) {
    await file?.close()
    if (error instanceof Error && 'code' in error && error.code === 'EINVAL') return open(device, 'r')
    throw error
  }
}
