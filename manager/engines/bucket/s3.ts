import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { Client } from 'minio'
import { type Bucket, type BucketBody, BucketError, type StoredObject } from './bucket.ts'
import { checkArrived, checkDocumentKey, checkSha256 } from './names.ts'
import type { S3Place } from './s3-url.ts'

/** One PUT carries no more (S3's own limit). */
const MAX_BYTES = 5 * 1024 ** 3
/** The longest that a signature (version 4) may last. */
const MAX_EXPIRES_SECONDS = 7 * 86_400
const ATTEMPTS = 4

/**
 * A bucket on any S3 server: `objects/{sha256}` and `documents/{key}` under the place's prefix. A body is written to a file in `temporary`
 * while its hash is computed; then it goes up in one PUT, which S3 makes visible whole or not at all.
 *
 * The `minio` client is kept to what is right in it (README): no Content-Type header, sizes always told, SHA-256 as our own metadata and
 * checked by ourselves when an object is read whole, no multipart uploads, no retries of its own.
 */
export function createS3Bucket({ temporary, clock, ...place }: S3Place & { temporary: string; clock: Clock }): Bucket {
  const client = new Client({
    endPoint: place.host,
    port: place.port,
    useSSL: place.tls,
    accessKey: place.accessKey,
    secretKey: place.secretKey,
    region: place.region, // or it would ask the server before each first request
    retryOptions: { disableRetry: true }, // it would send a stream that is used up
  })
  const objectKey = (sha256: string) => `${place.prefix}objects/${checkSha256(sha256)}`
  const documentKey = (key: string) => `${place.prefix}documents/${checkDocumentKey(key)}`

  /** Tries again what failed for a reason that may pass: the server is busy, or the line broke. */
  async function patiently<T>(task: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++)
      try {
        return await task()
      } catch (error) {
        if (attempt >= ATTEMPTS || !mayPass(error)) throw error
        await clock.sleep(200 * 2 ** attempt)
      }
  }

  /** One PUT of `bytes` bytes whose SHA-256 is known; `body` is asked for again at each attempt. */
  async function upload(objectName: string, body: () => Buffer | Readable, { sha256, bytes, md5 }: Digests): Promise<void> {
    const headers = { 'Content-Length': bytes, 'x-amz-meta-sha256': sha256, ...(place.tls ? { 'Content-MD5': md5 } : {}) }
    await patiently(async () => {
      const request = { method: 'PUT', bucketName: place.bucket, objectName, headers }
      // Over plain HTTP the signature covers the body's SHA-256; over TLS the client leaves that out, and Content-MD5 guards it.
      const answer = await client.makeRequestStreamAsync(request, body(), place.tls ? '' : sha256, [200], place.region)
      answer.resume()
    })
  }

  async function head(sha256: string): Promise<StoredObject | undefined> {
    const name = objectKey(sha256)
    const found = await unlessMissing(patiently(() => client.statObject(place.bucket, name)))
    return found && { sha256, bytes: found.size }
  }

  async function* keysUnder(prefix: string): AsyncIterable<{ key: string; bytes: number }> {
    for await (const item of client.listObjectsV2(place.bucket, prefix, true)) yield { key: item.name, bytes: item.size }
  }

  return {
    async put(body, expected) {
      if (body instanceof Uint8Array) {
        const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
        const stored = digestsOf(bytes)
        checkArrived(stored, expected)
        await upload(objectKey(stored.sha256), () => bytes, stored)
        return { sha256: stored.sha256, bytes: stored.bytes }
      }
      return spooled(body, temporary, async (file, stored) => {
        checkArrived(stored, expected)
        if (stored.bytes > MAX_BYTES)
          throw new RangeError(`"${expected.name}": ${stored.bytes} bytes; S3 takes at most ${MAX_BYTES} at once`)
        const whole = () => (stored.bytes === 0 ? Buffer.alloc(0) : createReadStream(file))
        await upload(objectKey(stored.sha256), whole, stored)
        return { sha256: stored.sha256, bytes: stored.bytes }
      })
    },
    async get(sha256, range) {
      const name = objectKey(sha256)
      const missing = () => new BucketError('missing', `the bucket holds no object ${sha256}`)
      if (range === undefined) {
        const body = await unlessMissing(patiently(() => client.getObject(place.bucket, name)))
        if (!body) throw missing()
        return verified(body, sha256)
      }
      const found = await head(sha256)
      if (!found) throw missing()
      const end = Math.min(range.end ?? found.bytes - 1, found.bytes - 1)
      if (range.start < 0 || range.start > end)
        throw new BucketError(
          'range',
          `object ${sha256} has ${found.bytes} bytes; bytes ${range.start} to ${range.end ?? 'the last'} lie beyond`,
        )
      return patiently(() => client.getPartialObject(place.bucket, name, range.start, end - range.start + 1))
    },
    head,
    async *list(prefix = '') {
      const folder = `${place.prefix}objects/`
      for await (const { key, bytes } of keysUnder(folder + prefix)) yield { sha256: key.slice(folder.length), bytes }
    },
    async delete(sha256) {
      await unlessMissing(client.removeObject(place.bucket, objectKey(sha256)))
    },
    async presign(sha256, { expiresSeconds, name }) {
      if (expiresSeconds > MAX_EXPIRES_SECONDS) throw new RangeError(`expiresSeconds ${expiresSeconds}: S3 allows ${MAX_EXPIRES_SECONDS}`)
      if (name !== undefined && !/^[\w.+-]{1,100}$/.test(name)) throw new RangeError(`name "${name}": expected letters, digits and . + - _`)
      return client.presignedGetObject(place.bucket, objectKey(sha256), Math.ceil(expiresSeconds), {
        'response-content-type': 'application/octet-stream',
        ...(name === undefined ? {} : { 'response-content-disposition': `attachment; filename="${name}"` }),
      })
    },
    async putDocument(key, value) {
      const bytes = Buffer.from(JSON.stringify(value))
      await upload(documentKey(key), () => bytes, digestsOf(bytes))
    },
    async getDocument(key) {
      const name = documentKey(key)
      const body = await unlessMissing(patiently(() => client.getObject(place.bucket, name)))
      return body && JSON.parse(await textOf(body))
    },
    async deleteDocument(key) {
      await unlessMissing(client.removeObject(place.bucket, documentKey(key)))
    },
    async *listDocuments(prefix = '') {
      const folder = `${place.prefix}documents/`
      for await (const { key } of keysUnder(folder + prefix)) yield key.slice(folder.length)
    },
  }
}

interface Digests extends StoredObject {
  /** Base64. */
  md5: string
}

function digestsOf(bytes: Uint8Array): Digests {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { sha256, bytes: bytes.length, md5: createHash('md5').update(bytes).digest('base64') }
}

/** Lends `use` a file with the whole body, and removes it. */
async function spooled<T>(
  body: Exclude<BucketBody, Uint8Array>,
  folder: string,
  use: (file: string, digests: Digests) => Promise<T>,
): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, randomBytes(12).toString('hex'))
  const file = await open(path, 'wx', 0o600)
  try {
    const [sha256, md5] = [createHash('sha256'), createHash('md5')]
    let bytes = 0
    for await (const chunk of body) {
      sha256.update(chunk)
      md5.update(chunk)
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten
      bytes += chunk.length
    }
    return await use(path, { sha256: sha256.digest('hex'), bytes, md5: md5.digest('base64') })
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}

/** The same bytes; ends with BucketError `mismatch` when they are not those that the name says. */
function verified(body: Readable, sha256: string): Readable {
  const hash = createHash('sha256')
  const check = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      const got = hash.digest('hex')
      done(got === sha256 ? null : new BucketError('mismatch', `object ${sha256} was spoilt in the bucket: its bytes have sha256 ${got}`))
    },
  })
  body.on('error', (error) => check.destroy(error))
  check.on('close', () => body.destroy())
  return body.pipe(check)
}

const PASSING = /^(ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|EAI_AGAIN|SlowDown|ServiceUnavailable|InternalError|RequestTimeout)$/
const mayPass = (error: unknown) => PASSING.test(codeOf(error)) || /Retryable HTTP status|failed after 0 retries/.test(String(error))

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (/^(NoSuchKey|NotFound)$/.test(codeOf(error))) return undefined
    throw error
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
