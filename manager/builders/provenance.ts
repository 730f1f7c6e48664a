import { createPrivateKey, sign } from 'node:crypto'
import type { PrivateKey } from '@bridgehead/shared/model/signed.ts'
import { type BuildManifest, canonical } from './model.ts'

/** in-toto Statement v1 with a SLSA provenance v1 predicate (slsa.dev/spec/v1.0/provenance). */
export interface ProvenanceStatement {
  _type: 'https://in-toto.io/Statement/v1'
  subject: { name: string; digest: { sha256: string } }[]
  predicateType: 'https://slsa.dev/provenance/v1'
  predicate: {
    buildDefinition: {
      buildType: string
      externalParameters: Record<string, unknown>
      internalParameters: Record<string, unknown>
      resolvedDependencies: { uri: string; name: string; digest: { sha256: string } }[]
    }
    runDetails: {
      builder: { id: string }
      metadata: { invocationId: string; startedOn: string; finishedOn: string }
    }
  }
}

/** Dead Simple Signing Envelope v1: `payload` and `sig` in base64. */
export interface Envelope {
  payloadType: typeof PAYLOAD_TYPE
  payload: string
  signatures: { keyid: string; sig: string }[]
}

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json'

/** What was built of what, by what and when. `builderId`: URI of the manager that vouches for it. */
export function provenanceOf(manifest: BuildManifest, builderId: string): ProvenanceStatement {
  const { source: wished, ...parameters } = manifest.request
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: manifest.outputs.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: `urn:bridgehead:build:${manifest.request.builder}:v1`,
        externalParameters: { ...parameters, ...(wished ? { source: wished } : {}) },
        internalParameters: { toolchain: manifest.toolchain, source: { name: manifest.source.name, version: manifest.source.version } },
        resolvedDependencies: manifest.source.files.map(({ name, sha256 }) => ({ uri: uriOf(manifest), name, digest: { sha256 } })),
      },
      runDetails: {
        builder: { id: builderId },
        metadata: {
          invocationId: manifest.hash,
          startedOn: new Date(manifest.startedAt).toISOString(),
          finishedOn: new Date(manifest.finishedAt).toISOString(),
        },
      },
    },
  }
}

const uriOf = ({ source }: BuildManifest) => (/^[a-z][a-z0-9+.-]*:/.test(source.from) ? source.from : `urn:bridgehead:${source.from}`)

/** What is signed: lengths in bytes keep type and payload apart (DSSE v1, "PAE"). */
export function preAuthentication(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.byteLength} `
  return Buffer.concat([Buffer.from(head), payload])
}

/** Signed with ed25519 (RFC 8032). The same statement and key give the same envelope. */
export function signEnvelope(statement: ProvenanceStatement, { kid, kty, crv, x, d }: PrivateKey): Envelope {
  const payload = Buffer.from(canonical(statement))
  const key = createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' })
  const sig = sign(null, preAuthentication(PAYLOAD_TYPE, payload), key)
  return { payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures: [{ keyid: kid, sig: sig.toString('base64') }] }
}
