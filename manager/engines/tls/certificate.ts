import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { secretFile } from '@bridgehead/shared/secret-file.ts'
import selfsigned from 'selfsigned'

export interface TlsIdentity {
  /** PEM. */
  key: string
  cert: string
  /** SHA-256 of the certificate, 64 lower-case hexadecimal digits. */
  fingerprint: string
}

const DAY_MS = 86_400_000
/** Appliances pin the certificate itself, so that it lasts as long as they do. */
const LASTS_MS = 20 * 365 * DAY_MS

/**
 * The self-signed certificate in `directory` (`manager.pem`: key and certificate, 0600), made there once for `hosts` (names and IP
 * addresses) and loopback. It stays the same when `hosts` change later: appliances know it by its fingerprint, not by its names.
 */
export async function selfSignedIdentity(options: { directory: string; hosts: readonly string[]; now: number }): Promise<TlsIdentity> {
  const path = join(options.directory, 'manager.pem')
  const text = await secretFile(path, () => make(options.hosts, options.now))
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(text)?.[0]
  const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text)?.[0]
  if (key === undefined || cert === undefined)
    throw new Error(
      `${path}: expected a private key and a certificate in PEM (delete the file to have new ones made; appliances must then enrol anew)`,
    )
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error(`${path}: its key is not the certificate's`)
  return { key: `${key}\n`, cert: `${cert}\n`, fingerprint: fingerprint256(cert) }
}

/** SHA-256 of a PEM certificate's DER form, 64 lower-case hexadecimal digits. */
export function fingerprint256(cert: string): string {
  return new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase()
}

async function make(hosts: readonly string[], now: number): Promise<string> {
  const names = [...new Set([...hosts, 'localhost', '127.0.0.1', '::1'])]
  const { private: key, cert } = await selfsigned.generate([{ name: 'commonName', value: 'Bridgehead manager' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - DAY_MS), // an appliance without a battery-backed clock may be behind
    notAfterDate: new Date(now + LASTS_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: names.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })) },
    ],
  })
  return `${key.trim()}\n${cert.trim()}`
}
