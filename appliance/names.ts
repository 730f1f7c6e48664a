import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { Outbox } from './store/outbox.ts'

/** A name that the site's DNS shall answer. `lease`: the machine chose it, so it never takes one that a host or a record has. */
export interface SiteName {
  name: string
  ip: Ipv4
  lease?: boolean
}

export interface NamesDeps {
  clock: Clock
  outbox: Pick<Outbox, 'onAdd'>
  hosts: () => readonly SiteName[]
  leases: (lan: string) => readonly { ip: Ipv4; hostname: string | undefined; state: string }[]
  apply: (state: SiteState, names: SiteName[]) => void
}

const SETTLE_MS = 250

/**
 * Keeps DNS in step with machines and leases. Whatever changes an address also tells the manager of it, so the outbox is the
 * one place to listen; a rack that boots at once is one change.
 */
export function followNames({ clock, outbox, hosts, leases, apply }: NamesDeps): { apply(state: SiteState): void } {
  let state: SiteState | undefined
  let shown = ''
  let due = false

  const collect = (lans: SiteState['lans']): SiteName[] => [
    ...hosts(),
    ...lans.flatMap((lan) =>
      leases(lan.name).flatMap(({ ip, hostname, state }) => (state === 'bound' && hostname ? [{ name: hostname, ip, lease: true }] : [])),
    ),
  ]
  const refresh = () => {
    due = false
    if (!state) return
    const names = collect(state.lans)
    const text = JSON.stringify(names)
    if (text === shown) return
    shown = text
    apply(state, names)
  }
  outbox.onAdd(() => {
    if (due || !state) return
    due = true
    clock.after(SETTLE_MS, refresh)
  })
  return {
    apply(next) {
      state = next
      shown = ''
      refresh()
    },
  }
}
