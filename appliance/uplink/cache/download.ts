import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { syncPath } from '@bridgehead/shared/sync.ts'
import { type ArtifactSource, FetchError, fetchArtifact } from './fetch.ts'

/** The bytes are not those that their name promises; `why` is a sentence for people. */
export class WrongBytes extends Error {
  readonly code = 'artifact_wrong'
}

export interface DownloadDeps {
  ref: ArtifactRef
  /** Where the whole file goes; beside it, `{path}.part` holds what came so far. */
  path: string
  source: ArtifactSource
  signal: AbortSignal
  /** Called before bytes are asked for, with how many are still to come. May throw. */
  makeRoom(bytes: number): Promise<void>
  progress(have: number): void
}

/** A rare fsync keeps the loss small when power goes, and the last one short. */
const SYNC_BYTES = 33_554_432

/**
 * Brings one artifact to `path`, going on from what an earlier run left in `{path}.part`. Resolves once it is whole, checked, fsynced and
 * renamed. Throws FetchError (try again: what came is kept), WrongBytes (what came is deleted), or what the file system throws.
 */
export async function download(deps: DownloadDeps): Promise<void> {
  const { ref, path, progress } = deps
  const part = `${path}.part`
  const file = await open(part, 'a+')
  try {
    let { have, hash } = await takeUp(file, ref.bytes)
    if (have === 0) await file.truncate(0)
    progress(have)
    for (let fresh = have === 0; ; fresh = true) {
      ;({ have, hash } = await fill(file, have, hash, deps))
      if (hash.digest('hex') === ref.sha256) break
      // a power cut may leave a part of the right length with the wrong bytes: that is ours, so begin anew before blaming the source
      await file.truncate(0)
      if (fresh) throw new WrongBytes(`the bytes have another sha256 than ${ref.sha256}`)
      have = 0
      hash = createHash('sha256')
      progress(0)
    }
    await file.sync()
  } catch (error) {
    if (error instanceof WrongBytes) await rm(part, { force: true })
    throw error
  } finally {
    await file.close()
  }
  await rename(part, path)
  await syncPath(dirname(path))
}

/** True when `path` holds exactly what `ref` promises; a file that does not is removed. For files whose record was lost in a crash. */
export async function isWhole(path: string, ref: ArtifactRef): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  )
  if (size === undefined) return false
  const file = await open(path, 'r')
  try {
    const { have, hash } = await takeUp(file, ref.bytes)
    if (size === ref.bytes && have === ref.bytes && hash.digest('hex') === ref.sha256) return true
  } finally {
    await file.close()
  }
  await rm(path, { force: true })
  return false
}

/** Hashes what is there; a file longer than `limit` is worthless and counts as nothing. */
async function takeUp(file: FileHandle, limit: number): Promise<{ have: number; hash: Hash }> {
  const hash = createHash('sha256')
  const { size } = await file.stat()
  if (size > limit) return { have: 0, hash }
  const buffer = Buffer.allocUnsafe(262_144)
  let have = 0
  while (have < size) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, have)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    have += bytesRead
  }
  return { have, hash }
}

/** Appends what is missing. Throws FetchError when less than all came, WrongBytes when it cannot be the right thing. */
async function fill(
  file: FileHandle,
  have: number,
  hash: Hash,
  { ref, source, signal, makeRoom, progress }: DownloadDeps,
): Promise<{ have: number; hash: Hash }> {
  if (have === ref.bytes && have > 0) return { have, hash }
  await makeRoom(ref.bytes - have)
  const { body, resumed } = await fetchArtifact(source, ref.sha256, have, signal)
  if (!resumed && have > 0) {
    await file.truncate(0)
    have = 0
    hash = createHash('sha256')
  }
  try {
    let unsynced = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (have + chunk.length > ref.bytes) throw new WrongBytes(`it has more than the promised ${ref.bytes} bytes`)
      await writeAll(file, chunk)
      hash.update(chunk)
      have += chunk.length
      unsynced += chunk.length
      progress(have)
      if (unsynced < SYNC_BYTES) continue
      unsynced = 0
      await file.datasync()
    }
  } catch (error) {
    if (error instanceof WrongBytes || !isNetworkError(error)) throw error
    throw new FetchError(`the connection broke at byte ${have} of ${ref.bytes}`, { cause: error })
  } finally {
    body.destroy()
  }
  if (have === ref.bytes) return { have, hash }
  // a source that ends early but says that it is complete has another artifact under this name
  if (body.complete) throw new WrongBytes(`it has ${have} bytes instead of the promised ${ref.bytes}`)
  throw new FetchError(`the connection ended at byte ${have} of ${ref.bytes}`)
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten
}

/** The file system's errors carry a `syscall` of `write` or `fdatasync`; those of the connection are retried. */
function isNetworkError(error: unknown): boolean {
  return !(error instanceof Error && 'syscall' in error && ['write', 'fdatasync', 'fsync', 'ftruncate'].includes(String(error.syscall)))
}
