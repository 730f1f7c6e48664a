import { bounds, contains, type Ipv4, networkOf } from '@bridgehead/shared/model/address.ts'
import type { ApplianceConfig, UplinkConfig } from '@bridgehead/shared/model/enrolment.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'

/** A network card of this box. */
export interface Nic {
  name: string
  mac: string
  wifi: boolean
  /** A cable (or a radio network) is there. */
  carrier: boolean
}

/** What a DHCP server gave to one of our devices. */
export interface UplinkLease {
  ip: Ipv4
  prefix: number
  router?: Ipv4 | undefined
  /** Option 121, which replaces the router where it is given (RFC 3442). */
  routes: readonly { to: string; via: Ipv4 }[]
  dns: readonly string[]
  ntp: readonly string[]
  /** Epoch ms. */
  until: number
}

export interface NetworkInput {
  config: Pick<ApplianceConfig, 'uplink' | 'lan'>
  /** In a stable order: the order of their names. */
  nics: readonly Nic[]
  /** By device. */
  leases: ReadonlyMap<string, UplinkLease>
  lans: readonly Pick<Lan, 'name' | 'subnet' | 'address'>[]
  /** The card that was the uplink before: it stays that while it can. */
  preferred?: string | undefined
}

export interface Route {
  /** `default` or a network in CIDR form. */
  to: string
  via: Ipv4
  device: string
  /** Own address to send from. */
  source: Ipv4
  /** The next hop lies outside the device's network. */
  onlink: boolean
}

/** What this box's network shall be. */
export interface NetworkPlan {
  /** Cards to switch on. */
  up: readonly string[]
  vlan?: { name: string; parent: string; id: number } | undefined
  wifi?: { device: string; ssid: string; psk: string; country?: string | undefined } | undefined
  /** Devices on which a DHCP client runs. */
  dhcp: readonly string[]
  /** The device that leads to the world, once it has an address. */
  uplink?: { device: string; address: string } | undefined
  addresses: readonly { device: string; address: string }[]
  routes: readonly Route[]
  dns: readonly string[]
  /** Time servers that the uplink's DHCP named, or a person. */
  ntp: readonly string[]
  /** Devices that hold LAN addresses. */
  lans: readonly { name: string; device: string }[]
  /** The uplink's device, where it serves no LAN: nothing but answers is taken from it. */
  closed?: string | undefined
  /** LAN networks that reach the world through this box. */
  nat: readonly string[]
  /** For people, on the screen. */
  problems: readonly string[]
}

/** Where nobody named any: two operators, two networks. */
export const PUBLIC_DNS = ['9.9.9.9', '1.1.1.1']
/** So that a laptop on the same cable reaches the local page when nothing else gave this box an address (RFC 3927). */
export const RESCUE_ADDRESS = '169.254.77.1/16'

/** Pure: settings, cards, leases and the site's LANs in; the wanted network out. */
export function planNetwork(input: NetworkInput): NetworkPlan {
  const { config, nics, leases } = input
  const uplink = config.uplink ?? {}
  const problems: string[] = []
  const candidates = uplinkCards(input, problems)
  const deviceOf = (nic: Nic) => (uplink.vlan === undefined ? nic.name : `${nic.name}.${uplink.vlan}`)
  const card = uplink.address === undefined ? leasedCard(candidates, input, deviceOf) : staticCard(candidates, input)
  const device = card && deviceOf(card)
  const lease = device === undefined ? undefined : leases.get(device)
  const address = uplink.address ?? (lease && `${lease.ip}/${lease.prefix}`)
  const known = device !== undefined && address !== undefined ? { device, address } : undefined

  const tagged = uplink.vlan === undefined ? undefined : (card ?? candidates.find((nic) => nic.carrier) ?? candidates[0])
  const settled = card !== undefined && (input.preferred === undefined || input.preferred === card.name)
  const asking = uplink.address !== undefined ? [] : settled && card ? [card] : candidates
  const placed = placeLans({ input, card, uplink: known, problems })
  const addresses = unique([...(known ? [known] : []), ...placed.map(({ device, address }) => ({ device, address }))])
  const rescue = nics.find((nic) => !nic.wifi && nic.carrier)
  if (addresses.length === 0 && rescue) addresses.push({ device: rescue.name, address: RESCUE_ADDRESS })

  const apart = known !== undefined && placed.length > 0 && placed.every((lan) => lan.device !== known.device)
  if (config.lan?.nat && known && placed.length > 0 && !apart)
    problems.push('lan.nat needs a LAN on another interface than the uplink; nothing is translated')
  const radio = uplink.wifi && candidates[0]
  return {
    up: nics.filter((nic) => !nic.wifi || nic === radio).map((nic) => nic.name),
    vlan: uplink.vlan !== undefined && tagged ? { name: deviceOf(tagged), parent: tagged.name, id: uplink.vlan } : undefined,
    wifi: uplink.wifi && radio ? { device: radio.name, ...uplink.wifi } : undefined,
    dhcp: uplink.vlan === undefined ? asking.map(deviceOf) : asking.filter((nic) => nic === tagged).map(deviceOf),
    uplink: known,
    addresses,
    routes: known ? routesOf(uplink, known, lease) : [],
    dns: nameServers(uplink, lease, known !== undefined),
    ntp: uplink.ntp ?? lease?.ntp ?? [],
    lans: placed.map(({ name, device }) => ({ name, device })),
    closed: apart ? known.device : undefined,
    nat: config.lan?.nat && apart ? input.lans.map((lan) => lan.subnet) : [],
    problems,
  }
}

/** The cards that may be the uplink. */
function uplinkCards({ config, nics }: NetworkInput, problems: string[]): readonly Nic[] {
  const { interface: name, wifi } = config.uplink ?? {}
  const found = nics.map((nic) => nic.name).join(', ') || 'none'
  if (name !== undefined) {
    const named = nics.filter((nic) => nic.name === name)
    if (named.length === 0) problems.push(`uplink.interface: there is no ${name}; found: ${found}`)
    return named
  }
  if (wifi) {
    const radio = nics.find((nic) => nic.wifi)
    if (!radio) problems.push(`uplink.wifi: this box has no Wi-Fi that works; found: ${found}`)
    return radio ? [radio] : []
  }
  const wired = nics.filter((nic) => !nic.wifi && nic.name !== config.lan?.interface)
  if (nics.length === 0) problems.push('no network interface was found')
  else if (!nics.some((nic) => nic.carrier)) problems.push(`no cable: ${found}`)
  // one card alone is both, whatever `lan.interface` says
  return wired.length === 0 ? nics.filter((nic) => !nic.wifi) : wired
}

function staticCard(candidates: readonly Nic[], { preferred }: NetworkInput): Nic | undefined {
  return candidates.find((nic) => nic.name === preferred) ?? candidates.find((nic) => nic.carrier) ?? candidates[0]
}

function leasedCard(candidates: readonly Nic[], { leases, preferred }: NetworkInput, deviceOf: (nic: Nic) => string): Nic | undefined {
  const leased = candidates.filter((nic) => leases.has(deviceOf(nic)))
  return leased.find((nic) => nic.name === preferred) ?? leased[0]
}

/** Each LAN's address and the device that shall have it. */
function placeLans({
  input: { config, nics, lans, preferred },
  card,
  uplink,
  problems,
}: {
  input: NetworkInput
  card: Nic | undefined
  uplink: { device: string; address: string } | undefined
  problems: string[]
}): { name: string; device: string; address: string }[] {
  const named = config.lan?.interface
  if (named !== undefined && !nics.some((nic) => nic.name === named))
    problems.push(`lan.interface: there is no ${named}; found: ${nics.map((nic) => nic.name).join(', ') || 'none'}`)
  const away = card?.name ?? preferred // the uplink's card, also while it has no address
  const wired = nics.filter((nic) => !nic.wifi)
  const others = wired.filter((nic) => nic.name !== away)
  const free = others.find((nic) => nic.carrier) ?? others[0] ?? wired[0]
  return lans.flatMap((lan) => {
    const inside = uplink !== undefined && contains(lan.subnet, hostOf(uplink.address))
    const device = named ?? (inside ? uplink.device : free?.name)
    if (device === undefined || (named !== undefined && !nics.some((nic) => nic.name === named))) return []
    if (inside && device !== uplink.device)
      problems.push(
        `lan "${lan.name}" (${lan.subnet}) on ${device} is also the uplink's network on ${uplink.device}; one of them must change`,
      )
    return [{ name: lan.name, device, address: `${lan.address}/${bounds(lan.subnet).prefix}` }]
  })
}

/** An address that DHCP gave and the operator chose too is one address. */
function unique(addresses: { device: string; address: string }[]): { device: string; address: string }[] {
  const seen = new Set<string>()
  return addresses.filter(({ address }) => {
    const ip = hostOf(address)
    if (seen.has(ip)) return false
    seen.add(ip)
    return true
  })
}

function routesOf(uplink: UplinkConfig, known: { device: string; address: string }, lease: UplinkLease | undefined): Route[] {
  const { device, address } = known
  const hop = (to: string, via: Ipv4): Route => ({ to, via, device, source: hostOf(address), onlink: !contains(address, via) })
  if (uplink.address !== undefined) return uplink.gateway === undefined ? [] : [hop('default', uplink.gateway)]
  if (!lease) return []
  if (lease.routes.length > 0)
    return lease.routes
      .filter(({ via }) => via !== '0.0.0.0') // on the link itself
      .map(({ to, via }) => hop(to === '0.0.0.0/0' ? 'default' : networkOf(to), via))
  return lease.router === undefined ? [] : [hop('default', lease.router)]
}

function nameServers(uplink: UplinkConfig, lease: UplinkLease | undefined, online: boolean): readonly string[] {
  if (uplink.dns && uplink.dns.length > 0) return uplink.dns
  if (lease && lease.dns.length > 0) return lease.dns
  return online ? PUBLIC_DNS : []
}

const hostOf = (address: string) => address.slice(0, address.indexOf('/')) as Ipv4
