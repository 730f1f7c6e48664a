import { overlaps } from '@bridgehead/shared/model/address.ts'
import type { NetworkPlan, Route } from './plan.ts'

/** What the kernel has of cards and addresses. */
export interface Actual {
  links: readonly { name: string; up: boolean; vlan: boolean }[]
  /** IPv4, with prefix length. */
  addresses: readonly { device: string; address: string }[]
}

/** A route that this daemon made (`ROUTE_PROTOCOL`), of the main table. */
export interface ActualRoute {
  to: string
  via?: string | undefined
  device: string
  source?: string | undefined
}

/** Marks our routes, so that others' are left alone (rtnetlink's `proto`; 66 is taken by nobody in iproute2's rt_protos). */
export const ROUTE_PROTOCOL = '66'

/**
 * Arguments for `ip`, in order, that make cards and addresses the planned ones; routes hang on them and come after. All IPv4 addresses on cards and on our VLANs are ours: on
 * a flashed box nobody else sets any. Empty when all is as it shall be.
 */
export function addressSteps(plan: NetworkPlan, actual: Actual): string[][] {
  const steps: string[][] = []
  const managed = new Set([...plan.up, ...actual.links.filter((link) => link.vlan).map((link) => link.name)])
  if (plan.vlan) managed.add(plan.vlan.name)
  for (const link of actual.links) if (link.vlan && link.name !== plan.vlan?.name) steps.push(['link', 'delete', 'dev', link.name])
  const isUp = (name: string) => actual.links.some((link) => link.name === name && link.up)
  for (const name of plan.up) if (!isUp(name)) steps.push(['link', 'set', 'dev', name, 'up'])
  if (plan.vlan) {
    const { name, parent, id } = plan.vlan
    if (!actual.links.some((link) => link.name === name))
      steps.push(['link', 'add', 'link', parent, 'name', name, 'type', 'vlan', 'id', String(id)])
    if (!isUp(name)) steps.push(['link', 'set', 'dev', name, 'up'])
  }
  const same = (a: { device: string; address: string }, b: { device: string; address: string }) =>
    a.device === b.device && a.address === b.address
  for (const one of actual.addresses)
    if (managed.has(one.device) && !plan.addresses.some((wanted) => same(wanted, one)))
      steps.push(['address', 'delete', one.address, 'dev', one.device])
  for (const one of plan.addresses)
    if (!actual.addresses.some((has) => same(one, has))) steps.push(['address', 'add', one.address, 'brd', '+', 'dev', one.device])
  return steps
}

/**
 * Lines for `ip -batch` that give the LANs their addresses before the daemon runs. Not those that lie in the uplink's network: there the
 * uplink's address must come first. Empty when no LAN has an address of its own.
 */
export function lanLines({ addresses, lans, uplink, up }: Pick<NetworkPlan, 'addresses' | 'lans' | 'uplink' | 'up'>): string {
  const own = addresses.filter(
    ({ device, address }) =>
      up.includes(device) && lans.some((lan) => lan.device === device) && !(uplink && overlaps(address, uplink.address)),
  )
  if (own.length === 0) return ''
  const steps = [
    ...up.map((name) => ['link', 'set', 'dev', name, 'up']),
    ...own.map(({ device, address }) => ['address', 'add', address, 'brd', '+', 'dev', device]),
  ]
  return steps.map((step) => `${step.join(' ')}\n`).join('')
}

/** The same for routes; others' are left alone. */
export function routeSteps(plan: Pick<NetworkPlan, 'routes'>, actual: readonly ActualRoute[]): string[][] {
  const steps: string[][] = []
  for (const one of actual)
    if (!plan.routes.some((wanted) => sameRoute(wanted, one)))
      steps.push([
        'route',
        'delete',
        one.to,
        ...(one.via === undefined ? [] : ['via', one.via]),
        'dev',
        one.device,
        'proto',
        ROUTE_PROTOCOL,
      ])
  for (const one of plan.routes)
    if (!actual.some((has) => sameRoute(one, has)))
      steps.push([
        ...['route', 'replace', one.to, 'via', one.via, 'dev', one.device, 'src', one.source, 'proto', ROUTE_PROTOCOL],
        ...(one.onlink ? ['onlink'] : []),
      ])
  return steps
}

function sameRoute(wanted: Route, has: ActualRoute): boolean {
  return wanted.to === has.to && wanted.via === has.via && wanted.device === has.device && wanted.source === has.source
}

const TABLE = 'bridgehead_network'

/** Rules for `nft -f -` beside those of the system's start: what the uplink may not, and address translation. Replaces itself whole. */
export function filterRules(plan: NetworkPlan): string {
  const uplink = plan.closed
  const lines = [`table inet ${TABLE}`, `delete table inet ${TABLE}`]
  if (uplink === undefined) return `${lines.join('\n')}\n`
  lines.push(
    `table inet ${TABLE} {`,
    '  chain input {',
    '    type filter hook input priority 10; policy accept;',
    `    iifname != "${uplink}" accept`,
    '    ct state established,related accept',
    '    meta l4proto { 1, 58 } accept', // ICMP, ICMPv6; the image has no /etc/protocols
    '    udp dport 68 accept',
    '    drop',
    '  }',
    '  chain forward {',
    '    type filter hook forward priority 10; policy drop;',
    '    ct state established,related accept',
  )
  for (const network of plan.nat) lines.push(`    ip saddr ${network} iifname != "${uplink}" oifname "${uplink}" accept`)
  lines.push('  }')
  if (plan.nat.length > 0)
    lines.push(
      '  chain postrouting {',
      '    type nat hook postrouting priority srcnat; policy accept;',
      `    ip saddr { ${plan.nat.join(', ')} } oifname "${uplink}" masquerade`,
      '  }',
    )
  lines.push('}')
  return `${lines.join('\n')}\n`
}
