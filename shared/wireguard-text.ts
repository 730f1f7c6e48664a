import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { BlockList, isIPv6 } from 'node:net'

/** Curve25519 keys as `wg` writes them: 32 bytes in base64, 44 characters. */
export interface WireguardKeys {
  privateKey: string
  publicKey: string
}

export interface WireguardPeer {
  publicKey: string
  /** Networks in CIDR form. */
  allowedIps: readonly string[]
  /** host:port, only on the side that dials. An IPv6 host stands in brackets. */
  endpoint?: string | undefined
  /** The site sends keepalives (25 s), never the hub. */
  keepaliveSeconds?: number | undefined
}

/** One peer's line of `wg show NAME dump`. */
export interface WireguardPeerStatus {
  publicKey: string
  endpoint?: string | undefined
  allowedIps: string[]
  /** Epoch ms; absent when there was none yet. */
  handshakeAt?: number | undefined
  rxBytes: number
  txBytes: number
}
export interface WireguardStatus {
  publicKey: string
  listenPort: number
  peers: WireguardPeerStatus[]
}

const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw480]=$/
/** PKCS #8 of an X25519 private key (RFC 8410 §7), up to its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

export function generateKeyPair(): WireguardKeys {
  const { privateKey } = generateKeyPairSync('x25519')
  return keyPairOf(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64'))
}

/** Both halves, from the private one. Throws when that is no key; the error does not repeat it. */
export function keyPairOf(privateKey: string): WireguardKeys {
  const bytes = Buffer.from(privateKey, 'base64')
  if (bytes.length !== 32 || privateKey.length !== 44) throw new Error('expected a WireGuard private key (44 characters of base64)')
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, bytes]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')
  return { privateKey, publicKey }
}

/** Text for `wg setconf` and `wg syncconf`. Throws on what would not be one value on one line. */
export function formatConfig(options: { privateKey: string; listenPort?: number | undefined; peers: readonly WireguardPeer[] }): string {
  const lines = ['[Interface]', `PrivateKey = ${options.privateKey}`]
  if (options.listenPort !== undefined) lines.push(`ListenPort = ${options.listenPort}`)
  for (const peer of options.peers) {
    if (!KEY.test(peer.publicKey)) throw new Error(`peer "${peer.publicKey}": expected a WireGuard public key (44 characters of base64)`)
    for (const value of [...peer.allowedIps, peer.endpoint ?? ''])
      if (/[\s#,]/.test(value)) throw new Error(`peer ${peer.publicKey}: "${value}" is neither a network nor host:port`)
    lines.push('', '[Peer]', `PublicKey = ${peer.publicKey}`, `AllowedIPs = ${peer.allowedIps.join(', ')}`)
    if (peer.endpoint !== undefined) lines.push(`Endpoint = ${peer.endpoint}`)
    if (peer.keepaliveSeconds !== undefined) lines.push(`PersistentKeepalive = ${peer.keepaliveSeconds}`)
  }
  return `${lines.join('\n')}\n`
}

/** Reads `wg show NAME dump`. Throws when a line has not the expected number of fields. */
export function parseDump(text: string): WireguardStatus {
  const [first = '', ...rest] = text.split('\n').filter((line) => line !== '')
  const head = first.split('\t')
  if (head.length !== 4) throw new Error(`wg show dump: expected 4 fields for the interface, got ${head.length}`)
  const peers = rest.map((line): WireguardPeerStatus => {
    const fields = line.split('\t')
    if (fields.length !== 8) throw new Error(`wg show dump: expected 8 fields for a peer, got ${fields.length}`)
    const [publicKey = '', , endpoint = '', allowedIps = '', handshake = '', rx = '', tx = ''] = fields
    return {
      publicKey,
      endpoint: endpoint === '(none)' ? undefined : endpoint,
      allowedIps: allowedIps === '(none)' ? [] : allowedIps.split(','),
      handshakeAt: handshake === '0' ? undefined : Number(handshake) * 1000,
      rxBytes: Number(rx),
      txBytes: Number(tx),
    }
  })
  return { publicKey: head[1] ?? '', listenPort: Number(head[2]), peers }
}

/** Networks of the peers that the interface's own network (`address`, with prefix length) does not cover already. */
export function routesFor(address: string, peers: readonly WireguardPeer[]): string[] {
  const [own = '', ownBits = ''] = address.split('/')
  const covered = new BlockList()
  covered.addSubnet(own, Number(ownBits), isIPv6(own) ? 'ipv6' : 'ipv4')
  const wanted = new Set(peers.flatMap((peer) => peer.allowedIps))
  return [...wanted].filter((network) => {
    const [ip = '', bits = ''] = network.split('/')
    return Number(bits) < Number(ownBits) || !covered.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
  })
}
