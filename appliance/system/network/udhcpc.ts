import { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { z } from 'zod'
import type { UplinkLease } from './plan.ts'

const NAMES = ['ip', 'mask', 'router', 'dns', 'ntpsrv', 'lease', 'staticroutes']

/** What busybox' udhcpc runs at each change: it tells us, and changes nothing itself. The action comes last. */
export const UDHCPC_SCRIPT = `#!/bin/sh
${NAMES.map((name) => `echo "${name}=$${name}"`).join('\n')}
echo "action=$1"
`

export type DhcpNews = { kind: 'lease'; lease: UplinkLease } | { kind: 'lost' } | { kind: 'unanswered' }

/** Reads the script's lines; returns what they tell once a block is whole. A server may send anything: what is no address is left out. */
export function createNewsReader(now: () => number): (line: string) => DhcpNews | undefined {
  let values = new Map<string, string>()
  return (line) => {
    const at = line.indexOf('=')
    if (at < 0) return undefined
    const name = line.slice(0, at)
    if (name !== 'action') {
      if (NAMES.includes(name)) values.set(name, line.slice(at + 1))
      return undefined
    }
    const told = values
    values = new Map()
    switch (line.slice(at + 1)) {
      case 'bound':
      case 'renew':
        return readLease(told, now())
      case 'deconfig':
      case 'nak':
        return { kind: 'lost' }
      case 'leasefail':
        return { kind: 'unanswered' }
      default:
        return undefined
    }
  }
}

function readLease(told: ReadonlyMap<string, string>, now: number): DhcpNews | undefined {
  const ip = Ipv4.safeParse(told.get('ip'))
  if (!ip.success || ip.data === '0.0.0.0') return undefined
  const list = (name: string) => (told.get(name) ?? '').split(/\s+/)
  const addresses = (name: string) => list(name).filter((one): one is Ipv4 => Ipv4.safeParse(one).success && one !== '0.0.0.0')
  const prefix = Number(told.get('mask'))
  const seconds = Number(told.get('lease'))
  return {
    kind: 'lease',
    lease: {
      ip: ip.data,
      prefix: Number.isInteger(prefix) && prefix >= 1 && prefix <= 32 ? prefix : 24,
      router: addresses('router')[0],
      routes: readRoutes(list('staticroutes')),
      dns: addresses('dns').slice(0, 3),
      ntp: addresses('ntpsrv').slice(0, 4),
      until: now + (Number.isFinite(seconds) && seconds > 0 ? seconds : 3600) * 1000,
    },
  }
}

/** `10.0.0.0/8 10.1.1.1 0.0.0.0/0 10.1.1.2`. */
function readRoutes(words: readonly string[]): { to: string; via: Ipv4 }[] {
  const routes: { to: string; via: Ipv4 }[] = []
  for (let at = 0; at + 1 < words.length && routes.length < 32; at += 2) {
    const to = z.cidrv4().safeParse(words[at])
    const via = Ipv4.safeParse(words[at + 1])
    if (to.success && via.success) routes.push({ to: to.data, via: via.data })
  }
  return routes
}
