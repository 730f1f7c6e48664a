import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { startProgram } from '@bridgehead/shared/program.ts'
import type { NetworkPlan } from './plan.ts'

export interface Wifi {
  stop(): Promise<void>
}

const RESTART_MS = 5_000

/** wpa_supplicant on one device, kept running. Its settings lie in a file of mode 0600 in memory. */
export function startWifi(
  wanted: NonNullable<NetworkPlan['wifi']>,
  { directory, clock, log }: { directory: string; clock: Clock; log: Log },
): Wifi {
  const file = join(directory, `wpa.${wanted.device}.conf`)
  writeFileSync(file, wpaConfig(wanted), { mode: 0o600 })
  const stopping = new AbortController()
  let child: ReturnType<typeof launch> | undefined
  const launch = () =>
    startProgram('wpa_supplicant', ['-i', wanted.device, '-D', 'nl80211,wext', '-c', file], {
      env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    })
  const run = async () => {
    while (!stopping.signal.aborted) {
      child = launch()
      const { how } = await child.gone
      if (stopping.signal.aborted) break
      log.warn('network.wifi_gone', { device: wanted.device, how })
      await clock.sleep(RESTART_MS, stopping.signal)
    }
  }
  const running = run()
  return {
    async stop() {
      stopping.abort()
      void child?.end(2_000)
      await running
    },
  }
}

/** The name as hexadecimal digits: any bytes may stand in it. A passphrase stands in quotation marks, which end at the line's last one. */
export function wpaConfig({ ssid, psk, country }: { ssid: string; psk: string; country?: string | undefined }): string {
  return [
    ...(country === undefined ? [] : [`country=${country}`]),
    'network={',
    `  ssid=${Buffer.from(ssid).toString('hex')}`,
    `  psk=${/^[0-9a-fA-F]{64}$/.test(psk) ? psk : `"${psk}"`}`,
    '  key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE',
    '  ieee80211w=1',
    '}',
    '',
  ].join('\n')
}
