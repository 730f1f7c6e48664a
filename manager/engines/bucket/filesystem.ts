import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { syncPath } from '@bridgehead/shared/sync.ts'
import { type Bucket, type BucketBody, BucketError, type StoredObject } from './bucket.ts'
import { checkArrived, checkDocumentKey, checkSha256 } from './names.ts'
import type { Presigner } from './presign.ts'

/** A temporary file that old belongs to nobody. */
const LEFTOVER_MS = 24 * 3_600_000

/**
 * A bucket in `directory`: `objects/ab/cd...`, `documents/...`, `tmp/`. What is written is first whole and synced in `tmp`, then
 * renamed, then its directory is synced: at every moment, and after a power cut, a name stands for all its bytes or for none.
 */
export function createFilesystemBucket(options: { directory: string; presigner: Presigner; clock: Clock }): Bucket {
  const { presigner, clock } = options
  const directory = resolve(options.directory)
  const documents = join(directory, 'documents')
  const temporary = join(directory, 'tmp')
  let prepared: Promise<void> | undefined
  const prepare = () => {
    prepared ??= sweep(temporary, clock.now() - LEFTOVER_MS).catch((error) => {
      prepared = undefined
      throw error
    })
    return prepared
  }

  function path(sha256: string): string {
    return join(directory, 'objects', checkSha256(sha256).slice(0, 2), sha256)
  }

  function documentPath(key: string): string {
    return join(documents, checkDocumentKey(key))
  }

  async function head(sha256: string): Promise<StoredObject | undefined> {
    const found = await unlessMissing(stat(path(sha256)))
    return found && { sha256, bytes: found.size }
  }

  /** Runs `fill` on a fresh file, syncs it, then gives it the name that `fill` returned. When `fill` throws, nothing is left. */
  async function write<T>(fill: (file: FileHandle) => Promise<{ target: string; result: T }>): Promise<T> {
    await prepare()
    const name = join(temporary, randomBytes(12).toString('hex'))
    const file = await open(name, 'wx', 0o600)
    try {
      const { target, result } = await filled(file, fill)
      await moveDurably(name, target)
      return result
    } finally {
      await rm(name, { force: true })
    }
  }

  return {
    put: (body, expected) =>
      write(async (file) => {
        const stored = await copyHashed(body, file)
        checkArrived(stored, expected)
        return { target: path(stored.sha256), result: stored }
      }),
    async get(sha256, range) {
      const found = await head(sha256)
      if (!found) throw new BucketError('missing', `the bucket holds no object ${sha256}`)
      if (range === undefined) return createReadStream(path(sha256))
      const end = Math.min(range.end ?? found.bytes - 1, found.bytes - 1)
      if (range.start < 0 || range.start > end)
        throw new BucketError(
          'range',
          `object ${sha256} has ${found.bytes} bytes; bytes ${range.start} to ${range.end ?? 'the last'} lie beyond`,
        )
      return createReadStream(path(sha256), { start: range.start, end })
    },
    head,
    async *list(prefix = '') {
      for (const shelf of await sorted(join(directory, 'objects'))) {
        if (!shelf.startsWith(prefix.slice(0, 2))) continue
        for (const sha256 of await sorted(join(directory, 'objects', shelf))) {
          const found = sha256.startsWith(prefix) ? await head(sha256) : undefined
          if (found) yield found
        }
      }
    },
    async delete(sha256) {
      await rm(path(sha256), { force: true })
    },
    presign: async (sha256, { expiresSeconds, name }) => presigner.sign(sha256, { expiresAt: clock.now() + expiresSeconds * 1000, name }),
    path,
    async putDocument(key, value) {
      const target = documentPath(key)
      await write(async (file) => {
        await file.writeFile(JSON.stringify(value))
        return { target, result: undefined }
      })
    },
    async getDocument(key) {
      const text = await unlessMissing(readFile(documentPath(key), 'utf8'))
      return text === undefined ? undefined : JSON.parse(text)
    },
    async deleteDocument(key) {
      await rm(documentPath(key), { force: true })
    },
    async *listDocuments(prefix = '') {
      const entries = (await unlessMissing(readdir(documents, { recursive: true, withFileTypes: true }))) ?? []
      const keys = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(documents.length + 1))
      yield* keys.filter((key) => key.startsWith(prefix)).sort()
    },
  }
}

async function filled<T>(file: FileHandle, fill: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    const result = await fill(file)
    await file.sync()
    return result
  } finally {
    await file.close()
  }
}

async function copyHashed(body: BucketBody, file: FileHandle): Promise<StoredObject> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    hash.update(chunk)
    for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten
    bytes += chunk.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

async function moveDurably(from: string, to: string): Promise<void> {
  const folder = dirname(to)
  const made = await mkdir(folder, { recursive: true, mode: 0o700 })
  await rename(from, to)
  await syncPath(folder)
  if (made !== undefined) for (let up = folder; up.length >= made.length; up = dirname(up)) await syncPath(dirname(up))
}

/** Makes the folder for temporary files and removes what a killed process left there. */
async function sweep(folder: string, before: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const name of await readdir(folder)) {
    const found = await unlessMissing(stat(join(folder, name)))
    if (found && found.mtimeMs < before) await rm(join(folder, name), { force: true })
  }
}

async function sorted(folder: string): Promise<string[]> {
  return ((await unlessMissing(readdir(folder))) ?? []).sort()
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
