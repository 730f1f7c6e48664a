import type { Readable } from 'node:stream'

/** What a stored object is called: its SHA-256, 64 lower-case hexadecimal digits. */
export interface StoredObject {
  sha256: string
  bytes: number
}
/** First and last byte, both inclusive and counted from 0 (RFC 9110 §14.1.2); without `end`, up to the last. */
export interface ByteRange {
  start: number
  end?: number | undefined
}
export type BucketBody = Uint8Array | AsyncIterable<Uint8Array>

/** Immutable bytes, named by their content, and a few small named documents that say what they are. */
export interface Bucket {
  /**
   * Durable once it resolves. `name` is for people (errors, logs). With `sha256` or `bytes`, a body that differs is refused:
   * BucketError `mismatch`, and nothing is kept.
   */
  put(body: BucketBody, options: { name: string; sha256?: string | undefined; bytes?: number | undefined }): Promise<StoredObject>
  /** Throws BucketError `missing`, or `range` when `start` lies beyond the end. */
  get(sha256: string, range?: ByteRange): Promise<Readable>
  head(sha256: string): Promise<StoredObject | undefined>
  /** Objects whose sha256 begins with `prefix`, in order. */
  list(prefix?: string): AsyncIterable<StoredObject>
  /** Harmless when it is not there. */
  delete(sha256: string): Promise<void>
  /** URL (absolute, or a path below the listener that serves `bucketRoutes`) that anybody may GET until it expires. */
  presign(sha256: string, options: { expiresSeconds: number; name?: string | undefined }): Promise<string>
  /** The object as a file, where the bucket lies on this machine. */
  path?(sha256: string): string
  /** Key such as `recipes/<sha256>.json`: segments of letters, digits and . _ - . Replaces atomically; durable once it resolves. */
  putDocument(key: string, value: unknown): Promise<void>
  /** Undefined when there is none. The caller checks the shape. */
  getDocument(key: string): Promise<unknown>
  deleteDocument(key: string): Promise<void>
  /** Keys that begin with `prefix`, in order. */
  listDocuments(prefix?: string): AsyncIterable<string>
}

export class BucketError extends Error {
  readonly code: 'missing' | 'mismatch' | 'range' | 'name'
  constructor(code: BucketError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
