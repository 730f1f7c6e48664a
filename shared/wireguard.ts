import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { Service } from './service.ts'

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

export interface TunnelOptions {
  /** Interface name, at most 15 characters. One wireguard-go per name on a machine, whatever the network namespace. */
  name: string
  /** Own address with prefix length, such as `fd00:1:2:3::1/64`. */
  address: string
  /** File of mode 0600 that holds the private key in base64; see `keysIn`. */
  privateKeyFile: string
  listenPort?: number | undefined
  mtu?: number | undefined
  peers: readonly WireguardPeer[]
}

/** A WireGuard interface, made on `start`, kept alive, removed on `stop`. */
export interface Tunnel extends Service {
  /** `kernel` where the module is there, else `userspace` (wireguard-go); undefined while down. */
  readonly kind: 'kernel' | 'userspace' | undefined
  /** Replaces all peers; sessions of those that stay live on. Remembered across restarts; harmless while down. */
  setPeers(peers: readonly WireguardPeer[]): Promise<void>
  dump(): Promise<WireguardStatus>
}

export declare function generateKeyPair(): WireguardKeys
/** Reads the private key at `path`, or makes one there (mode 0600), and returns both halves. */
export declare function keysIn(path: string): Promise<WireguardKeys>
export declare function createTunnel(options: TunnelOptions, deps: { log: Log; clock: Clock }): Tunnel
/** Reads `wg show NAME dump`. Throws when a line has not the expected number of fields. */
export declare function parseDump(text: string): WireguardStatus
