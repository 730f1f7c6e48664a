import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDnsServer, type DnsServer } from '@bridgehead/appliance/distributors/dns/server.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import type { DnsConfig } from '@bridgehead/shared/dns/zone.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Cidr4, Ipv4 } from '@bridgehead/shared/model/address.ts'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './free-port.ts'

// dig as judge; dnsmasq as the forwarder that the site asks.
const record = (name: string, type: DnsConfig['records'][number]['type'], value: string) => ({ name, type, value, ttl: 300 })
const ip = (text: string) => text as Ipv4

let dns: DnsServer
let port = 0
let dir = ''
let endForwarder = () => Promise.resolve()

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bridgehead-dns-'))
  const above = await freePort()
  endForwarder = await dnsmasq(above)
  port = await freePort()
  dns = createDnsServer({ log: silentLog, clock: systemClock, port })
  dns.apply({
    lans: [{ address: ip('127.0.0.1'), subnet: '127.0.0.0/29' as Cidr4, domain: 'shop.test' }],
    zone: 'internal',
    forwarders: [`127.0.0.1#${above}`],
    records: [
      record('www', 'CNAME', 'web'),
      record('web', 'A', '127.0.0.2'),
      record('web', 'AAAA', 'fd00::80'),
      record('note', 'TXT', 'two words'),
      record('_http._tcp', 'SRV', '10 20 8080 web'),
      record('long', 'TXT', 'x'.repeat(2000)),
      record('out', 'CNAME', 'www.example.org'),
    ],
    names: [{ name: 'node1', ip: ip('127.0.0.5') }],
  })
  await dns.start()
})

afterAll(async () => {
  await dns.stop()
  await endForwarder()
  await rm(dir, { recursive: true, force: true })
})

/** dnsmasq that knows a few foreign names; returns how to end it. */
async function dnsmasq(at: number): Promise<() => Promise<void>> {
  const conf = join(dir, 'dnsmasq.conf')
  const records = [
    'host-record=www.example.org,192.0.2.80,2001:db8::80,120',
    'txt-record=note.example.org,from above',
    // its lines hold a thousand bytes
    ...['y', 'yy', 'yyy'].map((part) => `txt-record=long.example.org,${part.repeat(80)},${part.repeat(80)},${part.repeat(80)}`),
  ]
  const rest = ['local=/example.org/', 'no-resolv', 'no-hosts', 'listen-address=127.0.0.1', 'bind-interfaces', `port=${at}`]
  await writeFile(conf, [...records, ...rest].join('\n'))
  const child = spawn('dnsmasq', ['--keep-in-foreground', '--pid-file', '--user=root', `--conf-file=${conf}`], { stdio: 'ignore' })
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  for (let left = 50; ; left--) {
    const { stdout } = await execa('dig', ['+short', '+tries=1', '+time=1', '@127.0.0.1', '-p', `${at}`, 'www.example.org'], {
      reject: false,
    })
    if (stdout.includes('192.0.2.80')) break
    if (left === 0 || child.exitCode !== null) throw new Error('dnsmasq does not answer')
    await new Promise((done) => setTimeout(done, 100))
  }
  return () => {
    child.kill('SIGTERM')
    return gone
  }
}

const dig = async (...args: string[]) => (await execa('dig', ['@127.0.0.1', '-p', `${port}`, '+tries=1', '+time=3', ...args])).stdout

for (const transport of ['+notcp', '+tcp'])
  for (const { name, type, gets } of [
    { name: 'node1.internal', type: 'A', gets: '127.0.0.5' },
    { name: 'node1.shop.test', type: 'A', gets: '127.0.0.5' },
    { name: 'web.internal', type: 'AAAA', gets: 'fd00::80' },
    { name: '5.0.0.127.in-addr.arpa', type: 'PTR', gets: 'node1.shop.test.' },
    { name: 'note.internal', type: 'TXT', gets: '"two words"' },
    { name: '_http._tcp.internal', type: 'SRV', gets: '10 20 8080 web.internal.' },
    { name: 'www.internal', type: 'A', gets: 'web.internal.\n127.0.0.2' },
    { name: 'www.internal', type: 'CNAME', gets: 'web.internal.' },
    { name: 'internal', type: 'NS', gets: 'dns.internal.' },
    { name: 'www.example.org', type: 'A', gets: '192.0.2.80' },
    { name: 'WWW.Example.ORG', type: 'AAAA', gets: '2001:db8::80' },
    { name: 'note.example.org', type: 'TXT', gets: '"from above"' },
    { name: 'out.internal', type: 'A', gets: 'www.example.org.\n192.0.2.80' },
  ])
    test(`dig ${transport} ${type} ${name} gets ${gets}`, async () => expect(await dig('+short', transport, name, type)).toBe(gets))

for (const { name, shows } of [
  { name: 'nobody.internal', shows: /status: NXDOMAIN.*flags: qr aa rd ra;.*\bSOA\s+dns\.internal/s },
  { name: '6.0.0.127.in-addr.arpa', shows: /status: NXDOMAIN.*\bSOA\s+dns\./s },
  { name: 'nobody.example.org', shows: /status: NXDOMAIN/ },
])
  test(`dig says that ${name} does not exist`, async () => expect(await dig(name, '+tcp')).toMatch(shows))

test('an answer has our own OPT, only when the query has one', async () => {
  expect(await dig('node1.internal')).toMatch(/EDNS: version: 0, flags:; udp: 1232/)
  expect(await dig('node1.internal', '+dnssec')).toMatch(/flags: do; udp: 1232/)
  expect(await dig('www.example.org')).toMatch(/udp: 1232/)
  expect(await dig('node1.internal', '+noedns')).not.toMatch(/EDNS/)
  expect(await dig('www.example.org', '+noedns')).not.toMatch(/EDNS/)
})

for (const { name, letter } of [
  { name: 'long.internal', letter: 'x' },
  { name: 'long.example.org', letter: 'y' },
])
  test(`${name} does not fit into UDP: cut there, whole by TCP, as dig asks`, async () => {
    expect(await dig(name, 'TXT', '+ignore')).toMatch(/flags: qr (aa )?tc rd ra; QUERY: 1, ANSWER: 0/)
    expect(await dig(name, 'TXT', '+short')).toMatch(new RegExp(`^("${letter}+"\\s?)+$`))
    expect(await dig(name, 'TXT')).toMatch(/Truncated, retrying in TCP mode.*ANSWER: [13]/s)
  })

test('a foreign answer grows old in our cache', async () => {
  const ttl = async () => Number(/www\.example\.org\.\s+(\d+)/.exec(await dig('www.example.org', 'A'))?.[1])
  const first = await ttl()
  await new Promise((done) => setTimeout(done, 2100))
  const second = await ttl()
  expect(first).toBeLessThanOrEqual(120)
  expect(first - second).toBeGreaterThanOrEqual(2)
})

test('a later version of EDNS is refused by its number', async () => {
  expect(await dig('node1.internal', '+edns=1', '+noednsneg')).toMatch(/status: BADVERS/)
})

test('a zone transfer and the version are refused', async () => {
  expect(await dig('internal', 'AXFR')).toMatch(/Transfer failed/)
  expect(await dig('version.bind', 'CH', 'TXT')).toMatch(/status: REFUSED/)
})

test('dig from outside the LANs is refused', async () => {
  expect(await dig('-b', '127.0.0.77', 'node1.internal')).toMatch(/status: REFUSED/)
})

test('every query was counted and none is under way', () => {
  const { malformed, inFlight, servfail, tcpConnections } = dns.counters()
  expect({ malformed, inFlight, servfail, tcpConnections }).toEqual({ malformed: 0, inFlight: 0, servfail: 0, tcpConnections: 0 })
})
