import { createHmac, timingSafeEqual } from 'node:crypto'
import { randomSecret, secretFile } from '@bridgehead/shared/secret-file.ts'

/** Makes and checks `/bucket/{sha256}?expires=&name=&signature=`. */
export interface Presigner {
  /** `expiresAt` in epoch ms; rounded up to seconds. `name` is what a browser saves it as. */
  sign(sha256: string, options: { expiresAt: number; name?: string | undefined }): string
  /** `url` is absolute or a path. `now` in epoch ms. */
  verify(url: string, now: number): { ok: true; sha256: string; name?: string | undefined } | { ok: false; why: string }
}

const PATH = /^\/bucket\/([0-9a-f]{64})$/
const NAME = /^[\w.+-]{1,100}$/

/** `key`: at least 32 secret bytes. */
export function createPresigner(key: Uint8Array): Presigner {
  if (key.length < 32) throw new RangeError(`presign key: expected at least 32 bytes, got ${key.length}`)
  /** The lines are never ambiguous: only the last may hold anything but digits. */
  const mac = (sha256: string, expires: string, name: string) =>
    createHmac('sha256', key).update(`bridgehead-bucket-1\n${sha256}\n${expires}\n${name}`).digest('base64url')

  return {
    sign(sha256, { expiresAt, name }) {
      if (name !== undefined && !NAME.test(name)) throw new RangeError(`name "${name}": expected letters, digits and . + - _`)
      const expires = String(Math.ceil(expiresAt / 1000))
      const query = new URLSearchParams({ expires, ...(name === undefined ? {} : { name }), signature: mac(sha256, expires, name ?? '') })
      const path = `/bucket/${sha256}`
      if (!PATH.test(path)) throw new RangeError(`sha256 "${sha256}": expected 64 lower-case hexadecimal digits`)
      return `${path}?${query}`
    },
    verify(url, now) {
      const { pathname, searchParams } = new URL(url, 'http://bucket.invalid')
      const sha256 = PATH.exec(pathname)?.[1]
      const expires = searchParams.get('expires') ?? ''
      const name = searchParams.get('name') ?? ''
      if (sha256 === undefined) return { ok: false, why: 'expected /bucket/ and 64 lower-case hexadecimal digits' }
      if (!sameText(searchParams.get('signature') ?? '', mac(sha256, expires, name)))
        return { ok: false, why: 'the signature does not fit this URL; ask for a new one' }
      if (Number(expires) * 1000 <= now)
        return { ok: false, why: `this URL expired at ${new Date(Number(expires) * 1000).toISOString()}; ask for a new one` }
      return { ok: true, sha256, name: name === '' ? undefined : name }
    },
  }
}

/** Reads the secret at `path`, or makes one there (mode 0600). */
export async function presignKeyIn(path: string): Promise<Uint8Array> {
  return Buffer.from(await secretFile(path, randomSecret), 'base64url')
}

function sameText(one: string, other: string): boolean {
  const a = Buffer.from(one)
  const b = Buffer.from(other)
  return a.length === b.length && timingSafeEqual(a, b)
}
