import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { selfSignedIdentity } from './certificate.ts'

const now = Date.parse('2026-11-22T12:00:00Z')
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bridgehead-tls-'))
})
afterAll(() => rm(root, { recursive: true }))

test('the certificate is made once, for its hosts and loopback, and nobody else reads its key', async () => {
  const directory = join(root, 'one')
  const first = await selfSignedIdentity({ directory, hosts: ['manager.example', '192.0.2.7', 'fd00::1'], now })
  expect(await selfSignedIdentity({ directory, hosts: ['other.example'], now: now + 1 })).toEqual(first)
  expect((await stat(join(directory, 'manager.pem'))).mode & 0o777).toBe(0o600)
  expect(first.fingerprint).toMatch(/^[0-9a-f]{64}$/)

  const cert = new X509Certificate(first.cert)
  for (const host of ['manager.example', 'localhost']) expect(cert.checkHost(host), host).toBe(host)
  for (const ip of ['192.0.2.7', 'fd00::1', '127.0.0.1', '::1']) expect(cert.checkIP(ip), ip).toBe(ip)
  expect(cert.checkHost('other.example')).toBeUndefined()
  expect(cert.validFromDate.getTime()).toBeLessThan(now)
  expect(cert.validToDate.getUTCFullYear()).toBe(2046)
})

test('a TLS client that pins the fingerprint accepts it', async () => {
  const identity = await selfSignedIdentity({ directory: join(root, 'two'), hosts: [], now: Date.now() })
  const server = createServer({ key: identity.key, cert: identity.cert }, (socket) => socket.end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const socket = connect({ host: '127.0.0.1', port, ca: identity.cert })
  await once(socket, 'secureConnect')
  expect(socket.authorized).toBe(true)
  expect(socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()).toBe(identity.fingerprint)
  socket.destroy()
  server.close()
})

test('a spoilt file is an error that says what to do', async () => {
  const directory = join(root, 'three')
  await selfSignedIdentity({ directory, hosts: [], now })
  await writeFile(join(directory, 'manager.pem'), 'nonsense')
  await expect(selfSignedIdentity({ directory, hosts: [], now })).rejects.toThrow('expected a private key and a certificate')
})
