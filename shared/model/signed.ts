import { base64url, CompactSign, type CryptoKey, calculateJwkThumbprint, compactVerify, importJWK, type JWK } from 'jose'

/** What a signed document is; goes into the protected header, so that one kind never passes for another. */
export type DocumentKind = 'state' | 'command' | 'manifest' | 'enrolment' | 'bundle' | 'release'

export class SignatureError extends Error {
  readonly code = 'signature'
}

/** An ed25519 public key as JWK with its `kid`. */
export interface PublicKey {
  kid: string
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
}
export interface PrivateKey extends PublicKey {
  d: string
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** JSON of `value`, signed as compact JWS (RFC 7515 §7.1) with EdDSA (RFC 8037). */
export async function signDocument(kind: DocumentKind, value: unknown, key: PrivateKey): Promise<string> {
  return new CompactSign(encoder.encode(JSON.stringify(value)))
    .setProtectedHeader({ alg: 'EdDSA', kid: key.kid, typ: `bridgehead-${kind}` })
    .sign(await imported(key))
}

/** The JSON inside, if one of `keys` signed it as this kind. Throws SignatureError otherwise. */
export async function verifyDocument(kind: DocumentKind, token: string, keys: readonly PublicKey[]): Promise<unknown> {
  const verified = await compactVerify(
    token,
    async (header) => {
      const key = keys.find((one) => one.kid === header.kid)
      if (!key) throw new SignatureError(`signed by key "${header.kid}", which this side does not trust`)
      return imported({ kid: key.kid, kty: key.kty, crv: key.crv, x: key.x }) // never a private part
    },
    { algorithms: ['EdDSA'] },
  ).catch((cause: unknown) => {
    if (cause instanceof SignatureError) throw cause
    throw new SignatureError(`signature does not verify: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  })
  if (verified.protectedHeader.typ !== `bridgehead-${kind}`)
    throw new SignatureError(`expected a signed ${kind}, got "${verified.protectedHeader.typ}"`)
  return JSON.parse(decoder.decode(verified.payload))
}

/** What people compare before they trust a key: SHA-256 of its members as RFC 7638 §3 writes them, 64 hexadecimal digits. */
export async function fingerprintOf({ kty, crv, x }: PublicKey): Promise<string> {
  const digest = base64url.decode(await calculateJwkThumbprint({ kty, crv, x }, 'sha256'))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function imported(key: PublicKey): Promise<CryptoKey> {
  return (await importJWK(key as unknown as JWK, 'EdDSA')) as CryptoKey
}
