import { generateKeyPairSync, webcrypto } from 'node:crypto'
import { expect, test } from 'vitest'
import type { BuildManifest } from './model.ts'
import { BuildRequest } from './model.ts'
import { PAYLOAD_TYPE, preAuthentication, provenanceOf, signEnvelope } from './provenance.ts'

const sha256 = (digit: string) => digit.repeat(64)
const manifest: BuildManifest = {
  kind: 'build',
  hash: sha256('a'),
  request: BuildRequest.parse({ builder: 'grub', targets: ['x86_64-efi/grubx64.efi'], config: 'echo hello\n' }),
  source: {
    kind: 'debian',
    name: 'grub2',
    version: '2.12-9',
    files: [{ sha256: sha256('b'), bytes: 10, name: 'grub2_2.12-9.dsc' }],
    from: 'http://mirror.example/debian/pool/main/g/grub2/grub2_2.12-9.dsc',
  },
  outputs: [{ sha256: sha256('c'), bytes: 20, name: 'x86_64-efi/grubx64.efi' }],
  toolchain: { gcc: '4:14.2.0-1' },
  startedAt: 1_700_000_000_000,
  finishedAt: 1_700_000_100_000,
  seconds: 100,
}
const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
const key = { kid: 'key-1', kty: 'OKP', crv: 'Ed25519', x: jwk.x ?? '', d: jwk.d ?? '' } as const

test('a statement names what was made, of what, by what and when', () => {
  expect(provenanceOf(manifest, 'urn:bridgehead:manager:key-1')).toEqual({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'x86_64-efi/grubx64.efi', digest: { sha256: sha256('c') } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:bridgehead:build:grub:v1',
        externalParameters: { builder: 'grub', targets: ['x86_64-efi/grubx64.efi'], prefix: '/boot/grub', config: 'echo hello\n' },
        internalParameters: { toolchain: { gcc: '4:14.2.0-1' }, source: { name: 'grub2', version: '2.12-9' } },
        resolvedDependencies: [
          {
            uri: 'http://mirror.example/debian/pool/main/g/grub2/grub2_2.12-9.dsc',
            name: 'grub2_2.12-9.dsc',
            digest: { sha256: sha256('b') },
          },
        ],
      },
      runDetails: {
        builder: { id: 'urn:bridgehead:manager:key-1' },
        metadata: { invocationId: sha256('a'), startedOn: '2023-11-14T22:13:20.000Z', finishedOn: '2023-11-14T22:15:00.000Z' },
      },
    },
  })
})

test('lengths keep type and payload apart (the example of the DSSE specification)', () => {
  expect(preAuthentication('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  )
})

/** As somebody else's verifier would do it: other code for the bytes, and another implementation of ed25519's interface. */
async function verify(envelope: ReturnType<typeof signEnvelope>, x: string): Promise<boolean> {
  const payload = atob(envelope.payload)
  const signed = `DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${payload.length} ${payload}`
  const publicKey = await webcrypto.subtle.importKey('raw', Buffer.from(x, 'base64url'), 'Ed25519', false, ['verify'])
  const signature = Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64')
  return webcrypto.subtle.verify('Ed25519', publicKey, signature, Buffer.from(signed, 'latin1'))
}

test('an envelope verifies by independent means, and not after a change', async () => {
  const envelope = signEnvelope(provenanceOf(manifest, 'urn:x'), key)
  expect(envelope.payloadType).toBe(PAYLOAD_TYPE)
  expect(envelope.signatures.map(({ keyid }) => keyid)).toEqual(['key-1'])
  expect(await verify(envelope, key.x)).toBe(true)
  const changed = atob(envelope.payload).replace(sha256('c'), sha256('d'))
  expect(await verify({ ...envelope, payload: btoa(changed) }, key.x)).toBe(false)
  expect(JSON.stringify(envelope)).not.toContain(key.d)
})

test('the same manifest gives the same envelope', () => {
  expect(signEnvelope(provenanceOf(manifest, 'urn:x'), key)).toEqual(signEnvelope(provenanceOf({ ...manifest }, 'urn:x'), key))
})
