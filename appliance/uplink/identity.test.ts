import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signDocument, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { afterAll, expect, test } from 'vitest'
import { openIdentity } from './identity.ts'
import { publicOf } from './samples.ts'

const root = mkdtempSync(join(tmpdir(), 'bridgehead-identity-'))
afterAll(() => rmSync(root, { recursive: true }))

test('keys are made once, work, and nobody else reads them', async () => {
  const directory = join(root, 'keys')
  const made = await openIdentity(directory)
  expect(await openIdentity(directory)).toEqual(made)
  expect(made.wireguard.publicKey).toMatch(/^[A-Za-z0-9+/]{43}=$/)
  for (const name of ['wireguard.key', 'signing.json']) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600)
  const jws = await signDocument('enrolment', { a: 1 }, made.signing)
  expect(await verifyDocument('enrolment', jws, [publicOf(made.signing)])).toEqual({ a: 1 })
})

test('a spoilt key is an error, never a new identity', async () => {
  const directory = join(root, 'spoilt')
  await openIdentity(directory)
  writeFileSync(join(directory, 'signing.json'), '{"kty":"OKP"}\n')
  await expect(openIdentity(directory)).rejects.toThrow()
})
