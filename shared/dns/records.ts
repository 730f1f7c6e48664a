import { z } from 'zod'
import { Ipv4 } from '../model/address.ts'
import type { SiteState } from '../model/state.ts'
import { TYPE } from '../wire/dns.ts'

/** A record as the site's state carries it. */
export type DnsRecord = SiteState['dns']['records'][number]

/** One record of ours, in the shape that `dns2` encodes. `ttl` in seconds. */
export interface LocalRecord {
  name: string
  /** Who has it; absent: the appliance itself. Not encoded. */
  from?: 'host' | 'record' | 'lease'
  type: number
  class: number
  ttl: number
  address?: string
  domain?: string
  ns?: string
  data?: string[]
  priority?: number
  weight?: number
  port?: number
  target?: string
  primary?: string
  admin?: string
  serial?: number
  refresh?: number
  retry?: number
  expiration?: number
  minimum?: number
}

/** A label that a host may have; underscores are seen in the wild and harmless. */
export const hostLabel = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

const NAME = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

/** A whole name in lower case without the last dot, at most 253 characters; `*.` may lead (RFC 4592). */
export function isName(name: string): boolean {
  return name.length <= 253 && NAME.test(name)
}

/**
 * A name as people write it in a record: `@` is the zone; a last dot makes it whole; a name inside `origins` or with dots of its own
 * is whole too; a single label lies in the zone.
 */
export function absolute(text: string, zone: string, origins: ReadonlySet<string>): string {
  const name = text.trim().toLowerCase()
  if (name === '@') return zone
  if (name.endsWith('.')) return name.slice(0, -1)
  if ([...origins].some((origin) => name === origin || name.endsWith(`.${origin}`))) return name
  const plain = name.startsWith('*.') || name.startsWith('_') // `*.apps`, `_http._tcp`: dots, and yet below the zone
  return name.includes('.') && !plain ? name : `${name}.${zone}`
}

/** A configured record, checked; or a sentence that says what was expected. */
export function toLocal(record: DnsRecord, zone: string, origins: ReadonlySet<string>): LocalRecord | { why: string } {
  const name = record.type === 'PTR' ? ptrOwner(record.name, zone, origins) : absolute(record.name, zone, origins)
  if (!isName(name)) return { why: `"${record.name}" is no domain name` }
  const base = { name, from: 'record' as const, type: TYPE[record.type], class: 1, ttl: record.ttl }
  const value = record.value.trim()
  switch (record.type) {
    case 'A':
      return Ipv4.safeParse(value).success ? { ...base, address: value } : { why: `expected an IPv4 address, got "${value}"` }
    case 'AAAA':
      // dotted tails (::ffff:1.2.3.4) would be encoded wrongly
      return z.ipv6().safeParse(value).success && !value.includes('.')
        ? { ...base, address: value.toLowerCase() }
        : { why: `expected an IPv6 address in hexadecimal groups, got "${value}"` }
    case 'CNAME':
    case 'PTR': {
      const domain = absolute(value, zone, origins)
      return isName(domain) ? { ...base, domain } : { why: `expected a domain name, got "${value}"` }
    }
    case 'TXT':
      return txt(base, record.value)
    case 'SRV': {
      const [priority, weight, port, to, ...rest] = value.split(/\s+/)
      const numbers = [priority, weight, port].map((part) => (/^\d{1,5}$/.test(part ?? '') ? Number(part) : Number.NaN))
      const target = to === undefined ? '' : absolute(to, zone, origins)
      if (rest.length > 0 || !isName(target) || !numbers.every((number) => number <= 65_535))
        return { why: `expected "priority weight port target", got "${value}"` }
      return { ...base, priority: numbers[0] ?? 0, weight: numbers[1] ?? 0, port: numbers[2] ?? 0, target }
    }
  }
}

/** Text longer than a character-string (255 bytes, RFC 1035 §3.3) is cut into several; readers join them. */
function txt(base: { name: string; type: number; class: number; ttl: number }, value: string): LocalRecord | { why: string } {
  const bytes = new TextEncoder().encode(value)
  if (bytes.length > 4096) return { why: `text of ${bytes.length} bytes, expected at most 4096` }
  const data: string[] = []
  let part = ''
  let size = 0
  for (const char of value) {
    const more = new TextEncoder().encode(char).length
    if (size + more > 255) {
      data.push(part)
      part = ''
      size = 0
    }
    part += char
    size += more
  }
  return { ...base, data: [...data, part] }
}

function ptrOwner(text: string, zone: string, origins: ReadonlySet<string>): string {
  return Ipv4.safeParse(text).success ? reverseName(text) : absolute(text, zone, origins)
}

/** `192.168.1.7` -> `7.1.168.192.in-addr.arpa` (RFC 1035 §3.5). */
export function reverseName(ip: string): string {
  return `${ip.split('.').reverse().join('.')}.in-addr.arpa`
}

/** The address that a whole reverse name stands for. */
export function reverseIp(name: string): Ipv4 | undefined {
  if (!name.endsWith('.in-addr.arpa')) return undefined
  const parsed = Ipv4.safeParse(name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.'))
  return parsed.success ? parsed.data : undefined
}
