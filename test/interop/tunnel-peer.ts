/** Runs one end of a tunnel inside a network namespace; options as JSON in the first argument. Ends in order at SIGTERM. */
import { createHub } from '@bridgehead/manager/engines/overlay/hub.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { createTunnel, type WireguardPeer } from '@bridgehead/shared/wireguard.ts'

export type TunnelPeer =
  | {
      hub: { directory: string; interfaceName: string; port: number; prefix: string }
      peers: { publicKey: string; allowedIps: string[] }[]
    }
  | { spoke: { name: string; address: string; privateKeyFile: string }; peers: WireguardPeer[] }

const options: TunnelPeer = JSON.parse(process.argv[2] ?? '')
const deps = { log: createLog({ name: 'tunnel-peer', level: 'debug' }), clock: systemClock }
const service = 'hub' in options ? createHub({ ...options.hub, ...deps }) : createTunnel({ ...options.spoke, peers: [] }, deps)
process.on('SIGTERM', async () => {
  await service.stop()
  process.exit(0)
})
await service.start()
await service.setPeers(options.peers)
process.stdout.write('ready\n')
setInterval(() => undefined, 60_000) // an adopted interface has no child whose pipes would keep this process here
