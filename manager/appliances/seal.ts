import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16

/** What a ticket's URL opens: neither a copy of the database nor the manager's key file does it alone. */
export interface Seals {
  seal(code: string, plain: Uint8Array): string
  /** Throws when `code` is not the one that it was sealed with, or a bit was changed. */
  open(code: string, sealed: string): Uint8Array
}

/** `key`: at least 32 secret bytes. AES-256-GCM; the key of each seal is HMAC(key, code).     nonce 12 | tag 16 | cipher text   (base64url) */
export function createSeals(key: Uint8Array): Seals {
  if (key.length < 32) throw new RangeError(`ticket key: expected at least 32 bytes, got ${key.length}`)
  const keyOf = (code: string) => createHmac('sha256', key).update(`bridgehead-ticket-1\n${code}`).digest()
  return {
    seal(code, plain) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keyOf(code), nonce)
      const text = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url')
    },
    open(code, sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      const opened = createDecipheriv('aes-256-gcm', keyOf(code), bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      opened.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([opened.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), opened.final()])
    },
  }
}

export function codeHash(code: string): string {
  return createHash('sha256').update(code).digest('hex')
}
