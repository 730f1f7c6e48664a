import type { UpdateStatus } from '../update/updater.ts'
import type { Appliance } from '../wiring.ts'
import type { BoxView } from './screen.ts'

/**
 * All that somebody needs who helps from afar, and no secret: settings without token and passphrase, no keys, no credential, the site's
 * state by its revision alone (it holds scripts and names of hosts).
 */
export function diagnose({
  view,
  appliance,
  updates,
  lines,
  at,
}: {
  view: BoxView
  appliance: Pick<Appliance, 'leases' | 'counters' | 'listening'>
  updates: UpdateStatus
  /** Of the log, which names no secrets. */
  lines: readonly string[]
  at: number
}): object {
  const { boot, config, problems, place, network, enrol, state, health } = view
  const { token, uplink, ...settings } = config
  const { wifi, proxy, ...wired } = uplink ?? {}
  return {
    at: new Date(at).toISOString(),
    uptimeSeconds: Math.round(process.uptime()),
    memory: process.memoryUsage(),
    boot,
    data: { state: place.state, why: place.why },
    settings: {
      ...settings,
      hasToken: token !== undefined,
      uplink: {
        ...wired,
        ...(proxy === undefined ? {} : { proxy: proxy.replace(/\/\/.*@/, '//') }),
        ...(wifi ? { wifi: { ssid: wifi.ssid } } : {}),
      },
    },
    problems,
    network: { ...network, plan: network.plan && { ...network.plan, wifi: network.plan.wifi && { device: network.plan.wifi.device } } },
    enrolment: enrol.kind === 'claim' ? { kind: 'claim' } : enrol,
    site: state && { id: state.site, name: state.name, revision: state.revision, lans: state.lans },
    health,
    updates,
    listening: appliance.listening(),
    leases: appliance.leases(),
    counters: appliance.counters(),
    log: lines,
  }
}
