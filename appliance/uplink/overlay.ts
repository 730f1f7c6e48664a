import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { createTunnel, type Tunnel } from '@bridgehead/shared/wireguard.ts'
import type { Identity } from './identity.ts'
import type { Membership } from './membership.ts'

/**
 * The WireGuard interface towards the manager's hub, or undefined where the manager runs without an overlay (development on
 * loopback). The hub is reached through the tunnel under its own address only: no other route leads into it.
 */
export function createOverlay(
  { overlay }: Pick<Membership, 'overlay'>,
  { identity, name, log, clock }: { identity: Pick<Identity, 'wireguardFile'>; name: string; log: Log; clock: Clock },
): Tunnel | undefined {
  if (!overlay) return undefined
  return createTunnel(
    {
      name,
      address: overlay.address,
      privateKeyFile: identity.wireguardFile,
      peers: [
        {
          publicKey: overlay.hubKey,
          allowedIps: [`${overlay.hubAddress}/128`],
          endpoint: overlay.hubEndpoint,
          keepaliveSeconds: overlay.keepaliveSeconds,
        },
      ],
    },
    { log, clock },
  )
}
