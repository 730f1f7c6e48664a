import { bounds, type Cidr4, contains, type Ipv4 } from '../model/address.ts'
import { TYPE } from '../wire/dns.ts'
import { type DnsRecord, hostLabel, type LocalRecord, reverseIp, reverseName, toLocal } from './records.ts'

/** What the site's DNS says, whole. Level-triggered: each one replaces the last. A `Lan` of the site's state fits `lans`. */
export interface DnsConfig {
  /** Served on each address; asked only from within each subnet. `domain`: a second home for names with an address in that LAN. */
  lans: { address: Ipv4; subnet: Cidr4; domain?: string | undefined }[]
  /** Where every host has its name, such as `internal`. */
  zone: string
  /** `ip`, `ip#port` or `[ip]:port`; none: those of the machine. */
  forwarders: string[]
  records: DnsRecord[]
  /** Hosts and leases. A name may have several addresses; a lease's name never takes one that a host or record has. */
  names: { name: string; ip: Ipv4; lease?: boolean }[]
}

/** Indexed for answering. Names are lower case without the last dot. */
export interface Zone {
  /** Domains that this site speaks for. */
  origins: ReadonlySet<string>
  names: ReadonlyMap<string, readonly LocalRecord[]>
  /** Names that have names below them, and so exist (RFC 8020). */
  inner: ReadonlySet<string>
  subnets: readonly string[]
  serial: number
}

/** Something in the configuration that is left out, and why. */
export interface ZoneProblem {
  name: string
  why: string
}

const NAME_TTL = 60 // seconds: leases move
const SOA_TTL = 30
/** Names that a lease must not claim: clients trust what answers there (CERT VU#598349). */
const NEVER_LEASED = new Set(['wpad', 'isatap', 'localhost'])

/** `serial` should grow with each configuration: clients see it in SOA. */
export function buildZone(config: DnsConfig, serial: number): { zone: Zone; problems: ZoneProblem[] } {
  const names = new Map<string, LocalRecord[]>()
  const problems: ZoneProblem[] = []
  const zone = config.zone.toLowerCase().replace(/\.$/, '')
  const origins = new Set([zone, ...config.lans.flatMap((lan) => (lan.domain ? [lan.domain] : []))])
  const add = (record: LocalRecord) => {
    const there = names.get(record.name)
    if (there) there.push(record)
    else names.set(record.name, [record])
  }

  for (const origin of origins) {
    add(soa(origin, serial))
    add({ name: origin, type: TYPE.NS, class: 1, ttl: NAME_TTL, ns: `dns.${origin}` })
    for (const lan of config.lans) add({ name: `dns.${origin}`, type: TYPE.A, class: 1, ttl: NAME_TTL, address: lan.address })
  }
  for (const record of config.records) {
    const made = toLocal(record, zone, origins)
    if ('why' in made) problems.push({ name: record.name, why: made.why })
    else add(made)
  }
  const fixed = new Set(names.keys())
  const owned = new Set(config.names.filter((one) => !one.lease).map((one) => one.name.toLowerCase()))
  for (const { name, ip, lease } of config.names) {
    const label = name.toLowerCase()
    if (!hostLabel.test(label)) problems.push({ name, why: 'is no host name (letters, digits and dashes, at most 63)' })
    else if (lease && (NEVER_LEASED.has(label) || owned.has(label))) problems.push({ name, why: 'a lease may not take this name' })
    else addHost(label, ip, lease ? 'lease' : 'host')
  }

  function addHost(label: string, ip: Ipv4, from: 'host' | 'lease'): void {
    const domain = config.lans.find((lan) => contains(lan.subnet, ip))?.domain
    for (const origin of new Set(domain ? [domain, zone] : [zone])) {
      const name = `${label}.${origin}`
      if (fixed.has(name)) continue // a written record wins
      if (names.get(name)?.some((record) => record.address === ip)) continue
      add({ name, from, type: TYPE.A, class: 1, ttl: NAME_TTL, address: ip })
      const reverse = reverseName(ip)
      if (!names.has(reverse)) add({ name: reverse, from, type: TYPE.PTR, class: 1, ttl: NAME_TTL, domain: name })
    }
  }

  return { zone: { origins, names, inner: innerNames(names.keys()), subnets: config.lans.map((lan) => lan.subnet), serial }, problems }
}

/** The domain of ours that `name` lies in: one of `origins`, or the reverse domain of a LAN. */
export function originOf(zone: Zone, name: string): string | undefined {
  for (let at = name; ; ) {
    if (zone.origins.has(at)) return at
    const dot = at.indexOf('.')
    if (dot < 0) break
    at = at.slice(dot + 1)
  }
  const ip = reverseIp(name)
  const subnet = ip === undefined ? undefined : zone.subnets.find((one) => contains(one, ip))
  if (subnet === undefined) return undefined
  const octets = Math.min(3, Math.floor(bounds(subnet).prefix / 8))
  return name
    .split('.')
    .slice(4 - octets)
    .join('.')
}

export function soa(origin: string, serial: number): LocalRecord {
  return {
    name: origin,
    type: TYPE.SOA,
    class: 1,
    ttl: SOA_TTL,
    primary: `dns.${origin}`,
    admin: `hostmaster.${origin}`,
    serial,
    refresh: 3600,
    retry: 600,
    expiration: 86_400,
    minimum: SOA_TTL,
  }
}

function innerNames(names: Iterable<string>): Set<string> {
  const inner = new Set<string>()
  for (const name of names) for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) inner.add(name.slice(dot + 1))
  return inner
}
