import { createHash } from 'node:crypto'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { syncPath } from '@bridgehead/shared/sync.ts'
import { BundleError } from './check.ts'

/** A rare sync keeps the last one short. */
const SYNC_BYTES = 33_554_432

/** Reads `body` to its end. Throws BundleError when it is not what `ref` promises. */
export async function checkBytes(ref: ArtifactRef, body: AsyncIterable<Uint8Array>): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of body) hash.update(chunk)
  compare(ref, hash.digest('hex'))
}

/**
 * Writes `body` to `path` by way of `{path}.part`: once the file has its name it is whole, checked and synced, whenever the process or the
 * power ends. Throws BundleError when the bytes are wrong, and then leaves nothing.
 */
export async function stage(ref: ArtifactRef, body: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  const part = `${path}.part`
  const hash = createHash('sha256')
  try {
    const file = await open(part, 'w', 0o600)
    try {
      let unsynced = 0
      for await (const chunk of body) {
        for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten
        hash.update(chunk)
        unsynced += chunk.length
        if (unsynced < SYNC_BYTES) continue
        unsynced = 0
        await file.datasync()
      }
      compare(ref, hash.digest('hex'))
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  await rename(part, path)
  await syncPath(dirname(path))
}

/** Whether an earlier import has brought it here. */
export async function isStaged(ref: ArtifactRef, path: string): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  )
  return size === ref.bytes
}

/** Removes what earlier imports left and this one does not need. */
export async function sweep(directory: string, needed: readonly ArtifactRef[]): Promise<void> {
  const names = new Set(needed.map((ref) => ref.sha256))
  for (const name of await readdir(directory))
    if (/^[0-9a-f]{64}(\.part)?$/.test(name) && !names.has(name)) await rm(join(directory, name), { force: true })
}

function compare(ref: ArtifactRef, sha256: string): void {
  if (sha256 !== ref.sha256)
    throw new BundleError(`${ref.name} is damaged in the file: its sha256 is ${sha256}, but ${ref.sha256} was promised`)
}
