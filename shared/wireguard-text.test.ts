import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generateKeyPair, keysIn, parseDump } from './wireguard.ts'
import { formatConfig, keyPairOf, routesFor } from './wireguard-text.ts'

// RFC 7748 §6.1, in base64.
const ALICE = { privateKey: 'dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=', publicKey: 'hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=' }

test('keys are as the RFC has them', () => {
  expect(keyPairOf(ALICE.privateKey)).toEqual(ALICE)
  const made = generateKeyPair()
  expect(keyPairOf(made.privateKey)).toEqual(made)
  expect(made.privateKey).not.toBe(generateKeyPair().privateKey)
})

test('what is no key is refused, and not repeated', () => {
  for (const text of ['', 'secret', `${ALICE.privateKey}x`])
    expect(() => keyPairOf(text), text).toThrow(/^expected a WireGuard private key/)
})

test('a key file is made once, for its owner alone', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-keys-'))
  const path = join(directory, 'deep', 'key')
  const all = await Promise.all([1, 2, 3].map(() => keysIn(path)))
  expect(new Set(all.map((keys) => keys.privateKey)).size).toBe(1)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await rm(directory, { recursive: true })
})

test('a configuration names every peer', () => {
  const peers = [
    { publicKey: ALICE.publicKey, allowedIps: ['fd00::1/128', 'fd00:0:0:1::/64'], endpoint: '[2001:db8::1]:51820', keepaliveSeconds: 25 },
    { publicKey: ALICE.publicKey, allowedIps: [] },
  ]
  expect(formatConfig({ privateKey: 'K', listenPort: 51_820, peers })).toBe(
    `[Interface]\nPrivateKey = K\nListenPort = 51820\n\n[Peer]\nPublicKey = ${ALICE.publicKey}\nAllowedIPs = fd00::1/128, fd00:0:0:1::/64\n` +
      `Endpoint = [2001:db8::1]:51820\nPersistentKeepalive = 25\n\n[Peer]\nPublicKey = ${ALICE.publicKey}\nAllowedIPs = \n`,
  )
})

test.each([
  { text: 'a key that is none', peer: { publicKey: 'short', allowedIps: [] } },
  { text: 'a network with a second line', peer: { publicKey: ALICE.publicKey, allowedIps: ['fd00::/64\n[Peer]'] } },
  { text: 'an endpoint with a comment', peer: { publicKey: ALICE.publicKey, allowedIps: [], endpoint: 'host:1#2' } },
])('$text never reaches wg', ({ peer }) => {
  expect(() => formatConfig({ privateKey: 'K', peers: [peer] })).toThrow('peer')
})

test('a dump is read, times in milliseconds', () => {
  const text = `PRIVATE\tPUBLIC\t51820\toff\nONE\t(none)\t192.0.2.1:4321\tfd00:1::/64,fd00:2::/64\t1763800000\t12\t34\t25\nTWO\t(none)\t(none)\t(none)\t0\t0\t0\toff\n`
  expect(parseDump(text)).toEqual({
    publicKey: 'PUBLIC',
    listenPort: 51_820,
    peers: [
      {
        publicKey: 'ONE',
        endpoint: '192.0.2.1:4321',
        allowedIps: ['fd00:1::/64', 'fd00:2::/64'],
        handshakeAt: 1_763_800_000_000,
        rxBytes: 12,
        txBytes: 34,
      },
      { publicKey: 'TWO', endpoint: undefined, allowedIps: [], handshakeAt: undefined, rxBytes: 0, txBytes: 0 },
    ],
  })
  expect(() => parseDump('')).toThrow('expected 4 fields')
  expect(() => parseDump('A\tB\t1\toff\nshort\tline')).toThrow('expected 8 fields for a peer, got 2')
})

test.each([
  { text: "a site's /64 inside the hub's /48", address: 'fd00:1:2::1/48', ips: ['fd00:1:2:1::/64'], routes: [] },
  { text: 'the hub, outside a site', address: 'fd00:1:2:1::1/64', ips: ['fd00:1:2::1/128'], routes: ['fd00:1:2::1/128'] },
  { text: 'a network wider than the own one', address: 'fd00:1:2:1::1/64', ips: ['fd00:1:2::/48'], routes: ['fd00:1:2::/48'] },
  { text: 'an IPv4 network', address: 'fd00:1:2:1::1/64', ips: ['10.0.0.0/24', '10.0.0.0/24'], routes: ['10.0.0.0/24'] },
])('$text needs the routes $routes', ({ address, ips, routes }) => {
  expect(routesFor(address, [{ publicKey: '', allowedIps: ips }])).toEqual(routes)
})
