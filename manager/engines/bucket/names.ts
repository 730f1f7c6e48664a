import { BucketError } from './bucket.ts'

const SHA256 = /^[0-9a-f]{64}$/
const KEY = /^(?!.*(?:^|\/)\.)[\w.-]{1,100}(\/[\w.-]{1,100}){0,5}$/

/** Throws BucketError `name` unless it is one. */
export function checkSha256(sha256: string): string {
  if (!SHA256.test(sha256)) throw new BucketError('name', `object "${sha256}": expected 64 lower-case hexadecimal digits`)
  return sha256
}

/** Throws BucketError `name` unless it is one. */
export function checkDocumentKey(key: string): string {
  if (!KEY.test(key)) throw new BucketError('name', `document "${key}": expected segments of letters, digits and . _ - separated by /`)
  return key
}

/** Throws BucketError `mismatch` when what arrived is not what was announced. `name` is for people. */
export function checkArrived(
  stored: { sha256: string; bytes: number },
  { name, sha256, bytes }: { name: string; sha256?: string | undefined; bytes?: number | undefined },
): void {
  if (sha256 !== undefined && sha256 !== stored.sha256)
    throw new BucketError('mismatch', `"${name}": expected sha256 ${sha256}, got ${stored.sha256} (${stored.bytes} bytes)`)
  if (bytes !== undefined && bytes !== stored.bytes)
    throw new BucketError('mismatch', `"${name}": expected ${bytes} bytes, got ${stored.bytes}`)
}
