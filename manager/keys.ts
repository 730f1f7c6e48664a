import { generateKeyPairSync } from 'node:crypto'
import type { PrivateKey } from '@bridgehead/shared/model/signed.ts'
import { secretFile } from '@bridgehead/shared/secret-file.ts'
import { z } from 'zod'

const Stored = z.object({
  /** The first one signs; the others are still trusted by sites, so that keys rotate with an overlap. */
  keys: z
    .array(z.object({ kid: z.string().min(1), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), d: z.string() }))
    .min(1),
})

/** The manager's ed25519 keys in the file at `path` (mode 0600); one is made there at the first start. `kid` names a new key. */
export async function signingKeys(path: string, kid: () => string): Promise<[PrivateKey, ...PrivateKey[]]> {
  const text = await secretFile(path, () => {
    const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
    return JSON.stringify({ keys: [{ kid: kid(), kty: 'OKP', crv: 'Ed25519', x, d }] })
  })
  const [first, ...rest] = Stored.parse(JSON.parse(text)).keys
  if (!first) throw new Error(`${path} holds no key`)
  return [first, ...rest]
}
