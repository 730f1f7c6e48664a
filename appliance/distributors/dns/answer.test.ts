import type { DnsRecord } from '@bridgehead/shared/dns/records.ts'
import { buildZone, type DnsConfig } from '@bridgehead/shared/dns/zone.ts'
import type { Cidr4, Ipv4 } from '@bridgehead/shared/model/address.ts'
import { RCODE, TYPE } from '@bridgehead/shared/wire/dns.ts'
import { expect, test } from 'vitest'
import { answer } from './answer.ts'

const ip = (text: string) => text as Ipv4
const record = (name: string, type: DnsRecord['type'], value: string): DnsRecord => ({ name, type, value, ttl: 300 })

const config: DnsConfig = {
  lans: [
    { address: ip('192.168.1.1'), subnet: '192.168.1.0/24' as Cidr4, domain: 'shop.example' },
    { address: ip('10.20.0.1'), subnet: '10.20.0.0/15' as Cidr4 },
  ],
  zone: 'internal',
  forwarders: [],
  records: [
    record('www', 'CNAME', 'web'),
    record('web', 'A', '192.168.1.80'),
    record('web', 'AAAA', 'fd00::80'),
    record('note', 'TXT', 'hello world'),
    record('_http._tcp', 'SRV', '10 20 8080 web'),
    record('registry.example.com', 'A', '192.168.1.5'),
    record('out', 'CNAME', 'www.example.org.'),
    record('ring1', 'CNAME', 'ring2'),
    record('ring2', 'CNAME', 'ring1'),
    record('*.apps', 'A', '192.168.1.90'),
    record('known.apps.internal', 'TXT', 'here'),
    record('a.b.c', 'A', '192.168.1.91'),
    record('a.b.c.internal', 'A', '192.168.1.92'),
    record('192.168.1.80', 'PTR', 'web'),
  ],
  names: [
    { name: 'node1', ip: ip('192.168.1.10') },
    { name: 'node1', ip: ip('10.21.0.10') },
    { name: 'Laptop', ip: ip('192.168.1.20'), lease: true },
    { name: 'node1', ip: ip('192.168.1.66'), lease: true },
    { name: 'wpad', ip: ip('192.168.1.67'), lease: true },
    { name: 'web', ip: ip('192.168.1.68'), lease: true },
    { name: 'bad name', ip: ip('192.168.1.69'), lease: true },
  ],
}
const { zone, problems } = buildZone(config, 42)

/** What a question gets, in short: the records' values, or how it ends. */
function ask(name: string, type: number): string {
  const found = answer(zone, name, type)
  if (found.kind === 'forward') return 'forward'
  const values = found.answers.map((one) => one.address ?? one.domain ?? one.target ?? one.ns ?? one.data?.join('|') ?? 'soa')
  if (found.kind === 'alias') return `${values.join(' ')} -> forward ${found.target}`
  const soa = found.authorities.map((one) => `soa ${one.name}`)
  return [found.rcode === RCODE.NXDOMAIN ? 'nxdomain' : found.rcode === RCODE.SERVFAIL ? 'servfail' : '', ...values, ...soa]
    .filter(Boolean)
    .join(' ')
}

for (const { asks, name, type, gets } of [
  { asks: 'a host in the zone', name: 'node1.internal', type: TYPE.A, gets: '192.168.1.10 10.21.0.10' },
  { asks: "a host in its LAN's domain", name: 'node1.shop.example', type: TYPE.A, gets: '192.168.1.10' },
  { asks: 'a lease, whatever its letters', name: 'laptop.internal', type: TYPE.A, gets: '192.168.1.20' },
  { asks: 'a name that a lease may not take', name: 'wpad.internal', type: TYPE.A, gets: 'nxdomain soa internal' },
  { asks: 'a host without IPv6 for IPv6', name: 'node1.internal', type: TYPE.AAAA, gets: 'soa internal' },
  { asks: 'an unknown name of the zone', name: 'nobody.internal', type: TYPE.A, gets: 'nxdomain soa internal' },
  { asks: "an unknown name of the LAN's domain", name: 'nobody.shop.example', type: TYPE.A, gets: 'nxdomain soa shop.example' },
  { asks: 'the zone itself', name: 'internal', type: TYPE.SOA, gets: 'soa' },
  { asks: "the zone's server", name: 'internal', type: TYPE.NS, gets: 'dns.internal' },
  { asks: "the server's addresses", name: 'dns.internal', type: TYPE.A, gets: '192.168.1.1 10.20.0.1' },
  { asks: 'the zone for what it lacks', name: 'internal', type: TYPE.A, gets: 'soa internal' },
  { asks: 'an address of a LAN for its name', name: '10.1.168.192.in-addr.arpa', type: TYPE.PTR, gets: 'node1.shop.example' },
  { asks: 'an address of a LAN without domain', name: '10.0.21.10.in-addr.arpa', type: TYPE.PTR, gets: 'node1.internal' },
  { asks: 'an address with a written name', name: '80.1.168.192.in-addr.arpa', type: TYPE.PTR, gets: 'web.internal' },
  { asks: 'an unused address of a LAN', name: '99.1.168.192.in-addr.arpa', type: TYPE.PTR, gets: 'nxdomain soa 1.168.192.in-addr.arpa' },
  { asks: 'an unused address of a /15', name: '9.0.21.10.in-addr.arpa', type: TYPE.PTR, gets: 'nxdomain soa 10.in-addr.arpa' },
  { asks: 'an address elsewhere', name: '8.8.8.8.in-addr.arpa', type: TYPE.PTR, gets: 'forward' },
  { asks: 'an alias', name: 'www.internal', type: TYPE.A, gets: 'web.internal 192.168.1.80' },
  { asks: 'an alias for its own record', name: 'www.internal', type: TYPE.CNAME, gets: 'web.internal' },
  { asks: 'a record that a lease claims too', name: 'web.internal', type: TYPE.A, gets: '192.168.1.80' },
  { asks: 'IPv6', name: 'web.internal', type: TYPE.AAAA, gets: 'fd00::80' },
  { asks: 'text', name: 'note.internal', type: TYPE.TXT, gets: 'hello world' },
  { asks: 'a service', name: '_http._tcp.internal', type: TYPE.SRV, gets: 'web.internal' },
  { asks: 'the name above a service', name: '_tcp.internal', type: TYPE.A, gets: 'soa internal' },
  { asks: 'everything of a name', name: 'web.internal', type: TYPE.ANY, gets: '192.168.1.80 fd00::80' },
  { asks: 'a foreign name that the site overrides', name: 'registry.example.com', type: TYPE.A, gets: '192.168.1.5' },
  { asks: 'an overridden name for another type', name: 'registry.example.com', type: TYPE.AAAA, gets: 'soa registry.example.com' },
  { asks: "an overridden name's sister", name: 'www.example.com', type: TYPE.A, gets: 'forward' },
  { asks: 'an alias of a foreign name', name: 'out.internal', type: TYPE.A, gets: 'www.example.org -> forward www.example.org' },
  { asks: 'aliases in a circle', name: 'ring1.internal', type: TYPE.A, gets: 'servfail' },
  { asks: 'below a wildcard', name: 'shop.apps.internal', type: TYPE.A, gets: '192.168.1.90' },
  { asks: 'far below a wildcard', name: 'a.b.apps.internal', type: TYPE.A, gets: '192.168.1.90' },
  { asks: 'a name that exists beside a wildcard', name: 'known.apps.internal', type: TYPE.A, gets: 'soa internal' },
  { asks: 'below a name that exists beside a wildcard', name: 'x.known.apps.internal', type: TYPE.A, gets: 'nxdomain soa internal' },
  { asks: 'a dotted record as a whole name', name: 'a.b.c', type: TYPE.A, gets: '192.168.1.91' },
  { asks: 'a dotted record that names the zone', name: 'a.b.c.internal', type: TYPE.A, gets: '192.168.1.92' },
  { asks: 'the root', name: '', type: TYPE.NS, gets: 'forward' },
  { asks: 'a name with a dot inside a label', name: 'a\\.b.internal', type: TYPE.A, gets: 'nxdomain soa internal' },
])
  test(`who asks for ${asks} gets ${gets}`, () => expect(ask(name, type)).toBe(gets))

test('what is left out is named with its reason', () => {
  expect(problems).toEqual([
    { name: 'node1', why: 'a lease may not take this name' },
    { name: 'wpad', why: 'a lease may not take this name' },
    { name: 'bad name', why: 'is no host name (letters, digits and dashes, at most 63)' },
  ])
})

for (const { type, value, why } of [
  { type: 'A', value: '300.1.1.1', why: 'expected an IPv4 address, got "300.1.1.1"' },
  { type: 'AAAA', value: '::ffff:1.2.3.4', why: 'expected an IPv6 address in hexadecimal groups, got "::ffff:1.2.3.4"' },
  { type: 'CNAME', value: 'bad name', why: 'expected a domain name, got "bad name"' },
  { type: 'SRV', value: '1 2 web', why: 'expected "priority weight port target", got "1 2 web"' },
  { type: 'SRV', value: '1 2 70000 web', why: 'expected "priority weight port target", got "1 2 70000 web"' },
  { type: 'TXT', value: 'x'.repeat(5000), why: 'text of 5000 bytes, expected at most 4096' },
] as const)
  test(`a ${type} record with a bad value is left out alone: ${why}`, () => {
    const built = buildZone({ ...config, names: [], records: [record('bad', type, value), record('good', 'A', '192.168.1.2')] }, 1)
    expect(built.problems).toEqual([{ name: 'bad', why }])
    expect(built.zone.names.has('good.internal')).toBe(true)
  })

test('long text is cut into strings of at most 255 bytes, never inside a letter', () => {
  const { zone: built } = buildZone({ ...config, names: [], records: [record('long', 'TXT', `${'x'.repeat(254)}é${'y'.repeat(10)}`)] }, 1)
  expect(built.names.get('long.internal')?.[0]?.data?.map((part) => Buffer.byteLength(part))).toEqual([254, 12])
})
