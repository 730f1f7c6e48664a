import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { PrivateKey } from '@bridgehead/shared/model/signed.ts'
import { secretFile } from '@bridgehead/shared/secret-file.ts'
import { keysIn, type WireguardKeys } from '@bridgehead/shared/wireguard.ts'
import { z } from 'zod'

/** What makes this box itself. Made here once; the private halves never leave it. */
export interface Identity {
  readonly wireguard: WireguardKeys
  /** Where the private WireGuard key lies, for `wg`. */
  readonly wireguardFile: string
  readonly signing: PrivateKey
}

const SigningKey = z.object({ kid: z.string(), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), d: z.string() })

/**
 * The identity under `directory` (mode 0700; files 0600), made when there is none. Throws when a key is there but unreadable:
 * a new one would make another box of this one.
 */
export async function openIdentity(directory: string): Promise<Identity> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const wireguardFile = join(directory, 'wireguard.key')
  const signing = await secretFile(join(directory, 'signing.json'), () => JSON.stringify(createSigningKey()))
  return { wireguard: await keysIn(wireguardFile), wireguardFile, signing: SigningKey.parse(JSON.parse(signing)) }
}

/** A new ed25519 key; its `kid` is the JWK thumbprint (RFC 7638 §3; members for OKP from RFC 8037 §2). */
export function createSigningKey(): PrivateKey {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url')
  return { kid, kty: 'OKP', crv: 'Ed25519', x, d }
}
