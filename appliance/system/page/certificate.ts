import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { secretFile } from '@bridgehead/shared/secret-file.ts'

/** What the local page shows of itself over TLS. */
export interface PageIdentity {
  /** PEM. */
  key: string
  cert: string
  /** SHA-256 of the certificate, 64 lower-case hexadecimal digits. */
  fingerprint: string
}

/** The identity in the file `path` (mode 0600), made there once. Its dates say nothing: the box may not know the time, and people compare the fingerprint. */
export async function pageIdentity(path: string): Promise<PageIdentity> {
  const text = await secretFile(path, makeIdentity)
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(text)?.[0]
  const cert = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/.exec(text)
  if (key === undefined || cert === null)
    throw new Error(`${path}: expected a private key and a certificate in PEM; delete the file to have new ones made`)
  const fingerprint = createHash('sha256')
    .update(Buffer.from(cert[1] ?? '', 'base64'))
    .digest('hex')
  return { key, cert: cert[0], fingerprint }
}

/*
 * X.509 v3 in DER (RFC 5280 §4.1), self-signed, ECDSA with SHA-256 on P-256
 *
 *   Certificate  { tbs { version 3, serial, algorithm, issuer, validity, subject, public key, extensions }, algorithm, signature }
 */
export function makeIdentity(): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(oid('2a8648ce3d040302')) // ecdsa-with-SHA256, RFC 5758 §3.2
  const name = sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from('Bridgehead appliance'))))) // commonName
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40 // positive, and of full length
  const validity = sequence(tlv(0x18, Buffer.from('20200101000000Z')), tlv(0x18, Buffer.from('99991231235959Z'))) // RFC 5280 §4.1.2.5
  const altName = sequence(tlv(0x82, Buffer.from('bridgehead')), tlv(0x82, Buffer.from('localhost')))
  const extensions = sequence(
    sequence(oid('551d13'), tlv(0x01, Buffer.of(0xff)), octets(sequence())), // basicConstraints: no authority
    sequence(oid('551d25'), octets(sequence(oid('2b06010505070301')))), // extKeyUsage: serverAuth
    sequence(oid('551d11'), octets(altName)), // subjectAltName
  )
  const tbs = sequence(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, serial),
    ...[algorithm, name, validity, name],
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, extensions),
  )
  const cert = sequence(tbs, algorithm, tlv(0x03, Buffer.concat([Buffer.of(0), sign('sha256', tbs, privateKey)])))
  const lines = cert.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `${privateKey.export({ type: 'pkcs8', format: 'pem' })}-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----`
}

/** Type, length (X.690 §8.1.3), value. */
function tlv(type: number, value: Buffer): Buffer {
  const { length } = value
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(type, ...head), value])
}
const sequence = (...parts: Buffer[]) => tlv(0x30, Buffer.concat(parts))
const octets = (value: Buffer) => tlv(0x04, value)
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, 'hex'))
