import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { WireguardPeerStatus } from '@bridgehead/shared/wireguard.ts'

export interface HubPeer {
  publicKey: string
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
  /** By public key. */
  handshakes(): Promise<Map<string, WireguardPeerStatus>>
}

/** `prefix`: the manager's /48, such as `fd12:3456:789a::/48`. `directory` keeps the private key (0600). */
export declare function createHub(options: {
  directory: string
  interfaceName: string
  port: number
  prefix: string
  log: Log
  clock: Clock
}): Hub
