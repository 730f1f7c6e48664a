import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { createTunnel, keysIn, TunnelError, type WireguardPeerStatus } from '@bridgehead/shared/wireguard.ts'
import { hubAddress } from './ula.ts'

export interface HubPeer {
  publicKey: string
  /** Networks in CIDR form, normally the site's /64. */
  allowedIps: readonly string[]
}

/** The manager's end of the overlay. */
export interface Hub extends Service {
  /** WireGuard public key, base64. Made on first use; also there before `start`. */
  publicKey(): Promise<string>
  /** The hub's own address, without prefix length. */
  readonly address: string
  /** All sites at once; sessions of those that stay live on. Remembered while the interface is down. */
  setPeers(peers: readonly HubPeer[]): Promise<void>
  /** By public key; empty while the interface is down. */
  handshakes(): Promise<Map<string, WireguardPeerStatus>>
}

/** `prefix`: the manager's /48, such as `fd12:3456:789a::/48`. `directory` keeps the private key (0600). */
export function createHub(options: {
  directory: string
  interfaceName: string
  port: number
  prefix: string
  log: Log
  clock: Clock
}): Hub {
  const address = hubAddress(options.prefix)
  const privateKeyFile = join(options.directory, 'wireguard-key')
  const tunnel = createTunnel(
    // The whole /48, so that one connected route leads to every site.
    { name: options.interfaceName, address: `${address}/48`, privateKeyFile, listenPort: options.port, peers: [] },
    options,
  )
  return {
    name: 'overlay',
    address,
    async start() {
      await keysIn(privateKeyFile)
      await tunnel.start().catch((cause) => {
        if (!(cause instanceof TunnelError)) throw cause
        throw new TunnelError(`${cause.message}; run the manager as root, or without an overlay (BRIDGEHEAD_OVERLAY=off)`, { cause })
      })
    },
    stop: () => tunnel.stop(),
    publicKey: async () => (await keysIn(privateKeyFile)).publicKey,
    setPeers: (peers) => tunnel.setPeers(peers),
    async handshakes() {
      if (tunnel.kind === undefined) return new Map()
      const { peers } = await tunnel.dump()
      return new Map(peers.map((peer) => [peer.publicKey, peer]))
    },
  }
}
