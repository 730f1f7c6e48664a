import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { systemClock } from '@bridgehead/shared/clock.ts'
import type { DnsConfig } from '@bridgehead/shared/dns/zone.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Cidr4, Ipv4 } from '@bridgehead/shared/model/address.ts'
import { type DecodedPacket, decode, encode, type Packet, streamEncode } from 'dns-packet'
import { afterEach, expect, test } from 'vitest'
import { createDnsServer, type DnsDeps, type DnsServer } from './server.ts'
import { TCP_LIMITS } from './tcp.ts'

const running: DnsServer[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})

const ip = (text: string) => text as Ipv4
const config = (more: Partial<DnsConfig> = {}): DnsConfig => ({
  lans: [{ address: ip('127.0.0.1'), subnet: '127.0.0.0/29' as Cidr4 }],
  zone: 'internal',
  forwarders: [],
  records: [],
  names: [{ name: 'node1', ip: ip('127.0.0.5') }],
  ...more,
})

async function serve(first: DnsConfig, deps: Partial<DnsDeps> = {}): Promise<{ server: DnsServer; udp: number; tcp: number }> {
  const server = createDnsServer({ log: silentLog, clock: systemClock, port: 0, forwarders: () => [], ...deps })
  running.push(server)
  server.apply(first)
  await server.start()
  const [at] = server.listening()
  if (!at) throw new Error('does not listen')
  return { server, udp: at.udp, tcp: at.tcp }
}

const query = (name: string): Packet => ({ type: 'query', id: 7, flags: 0x0100, questions: [{ type: 'A', name }] })

async function askUdp(port: number, name: string, from = '127.0.0.1'): Promise<DecodedPacket> {
  const socket = createSocket('udp4')
  socket.bind(0, from)
  await once(socket, 'listening')
  socket.send(encode(query(name)), port, '127.0.0.1')
  const [message]: Buffer[] = await once(socket, 'message')
  socket.close()
  return decode(message ?? Buffer.alloc(0))
}

const data = (packet: DecodedPacket) => packet.answers?.map((one) => ('data' in one ? one.data : '')).join()
const rcode = (packet: DecodedPacket) => Reflect.get(packet, 'rcode')

test('a site asks another server for what it does not know, once', async () => {
  const above = await serve(config({ zone: 'example', names: [{ name: 'www', ip: ip('192.0.2.1') }] }))
  const { server, udp } = await serve(config({ forwarders: [`127.0.0.1#${above.udp}`] }))
  expect(data(await askUdp(udp, 'node1.internal'))).toBe('127.0.0.5')
  expect(data(await askUdp(udp, 'www.example'))).toBe('192.0.2.1')
  expect(data(await askUdp(udp, 'www.example'))).toBe('192.0.2.1')
  expect(rcode(await askUdp(udp, 'nobody.example'))).toBe('NXDOMAIN')
  expect(rcode(await askUdp(udp, 'nobody.example'))).toBe('NXDOMAIN')
  expect(above.server.counters().udp).toBe(2)
  expect(server.counters()).toMatchObject({ udp: 5, local: 1, forwarded: 2, cached: 2, upstream: 2, inFlight: 0 })
})

test('an answer too long for UDP is fetched from the forwarder by TCP', async () => {
  const names = Array.from({ length: 100 }, (_, index) => ({ name: 'many', ip: ip(`192.0.2.${index}`) }))
  const above = await serveSamePort(config({ zone: 'example', names }))
  const { tcp } = await serve(config({ forwarders: [`127.0.0.1#${above.udp}`] }))
  const [reply] = await askTcp(tcp, [encodeFramed('many.example')], 1)
  expect(reply?.answers).toHaveLength(100)
  expect(above.server.counters()).toMatchObject({ udp: 1, tcp: 1, truncated: 1 })
})

/** Port 0 gives UDP and TCP different numbers; a forwarder needs one for both. */
async function serveSamePort(first: DnsConfig) {
  for (let port = 20_053 + Math.floor(process.pid % 10_000); ; port++) {
    const made = await serve(first, { port }).catch(() => undefined)
    if (made) return made
  }
}

test('strangers are refused over UDP and turned away over TCP', async () => {
  const { server, udp, tcp } = await serve(config())
  expect(rcode(await askUdp(udp, 'node1.internal', '127.0.0.9'))).toBe('REFUSED')
  const socket = createConnection({ port: tcp, host: '127.0.0.1', localAddress: '127.0.0.9' })
  socket.on('error', () => undefined)
  await once(socket, 'close')
  expect(server.counters()).toMatchObject({ refused: 1, tcpRefused: 1, tcpOpened: 0 })
})

const encodeFramed = (name: string) => streamEncode(query(name))

/** Sends all parts as they are, and waits for `count` answers. */
async function askTcp(port: number, parts: Buffer[], count: number): Promise<DecodedPacket[]> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  let got = Buffer.alloc(0)
  const replies: DecodedPacket[] = []
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk])
    while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      replies.push(decode(got.subarray(2, 2 + got.readUInt16BE(0))))
      got = got.subarray(2 + got.readUInt16BE(0))
    }
    if (replies.length >= count) socket.end()
  })
  const closed = once(socket, 'close') // listened for before anything is sent: the server may close at the first part
  for (const part of parts) {
    socket.write(part)
    await new Promise((done) => setTimeout(done, 1))
  }
  await closed
  return replies
}

test('one TCP connection carries many queries, in pieces of any size', async () => {
  const { server, tcp } = await serve(config())
  const all = Buffer.concat(Array.from({ length: 200 }, () => encodeFramed('node1.internal')))
  const pieces = [all.subarray(0, 1), all.subarray(1, 50), all.subarray(50, 51), all.subarray(51)]
  const replies = await askTcp(tcp, pieces, 200)
  expect(replies.map(data)).toEqual(Array.from({ length: 200 }, () => '127.0.0.5'))
  await expect.poll(() => server.counters()).toMatchObject({ tcp: 200, tcpConnections: 0 })
})

test('rubbish ends its TCP connection and nothing else', async () => {
  const { server, tcp } = await serve(config())
  expect(await askTcp(tcp, [Buffer.from([0, 3, 1, 2, 3])], 1)).toEqual([])
  const replies = await askTcp(tcp, [encodeFramed('node1.internal')], 1)
  expect(replies.map(data)).toEqual(['127.0.0.5'])
  await expect.poll(() => server.counters()).toMatchObject({ malformed: 1, tcpConnections: 0 })
})

test('a client has few connections, and an idle one is closed', async () => {
  const { server, tcp } = await serve(config(), { tcpLimits: { ...TCP_LIMITS, perClient: 2, idleMs: 100 } })
  const sockets = [1, 2, 3].map(() => createConnection({ port: tcp, host: '127.0.0.1' }).on('error', () => undefined))
  await Promise.all(sockets.map((socket) => once(socket, 'close')))
  await expect.poll(() => server.counters()).toMatchObject({ tcpOpened: 2, tcpRefused: 1, tcpConnections: 0 })
})

test('apply opens and closes sockets and replaces names at once', async () => {
  const { server, udp } = await serve(config())
  expect(data(await askUdp(udp, 'node1.internal'))).toBe('127.0.0.5')
  server.apply(config({ names: [{ name: 'node1', ip: ip('127.0.0.6') }] }))
  expect(data(await askUdp(udp, 'node1.internal'))).toBe('127.0.0.6')
  const second = { address: ip('127.0.0.2'), subnet: '127.0.0.0/29' as Cidr4 }
  server.apply(config({ lans: [second] }))
  await server.settled()
  expect(server.listening().map((at) => at.address)).toEqual(['127.0.0.2'])
  await server.stop()
  expect(server.listening()).toEqual([])
})

test('an address that the machine lacks hinders no other', async () => {
  const lans = [{ address: ip('192.0.2.1'), subnet: '192.0.2.0/24' as Cidr4 }, ...config().lans]
  const { server } = await serve(config({ lans }))
  expect(server.listening().map((at) => at.address)).toEqual(['127.0.0.1'])
})

test('ourselves among the forwarders is no circle', async () => {
  const { udp } = await serve(config({ forwarders: ['127.0.0.1#0', 'not an address'] }))
  expect(rcode(await askUdp(udp, 'www.example.org'))).toBe('SERVFAIL')
})

test('a trouble that stays is logged once, however often the same comes again', async () => {
  const events: unknown[] = []
  const log = { ...silentLog, warn: (event: string, fields?: unknown) => void events.push([event, fields]) }
  const bad = config({ names: [{ name: 'not a name', ip: ip('127.0.0.5'), lease: true }] })
  const { server } = await serve(bad, { log })
  server.apply(bad)
  server.apply(bad)
  expect(events).toEqual([['dns.record_left_out', { name: 'not a name', why: 'is no host name (letters, digits and dashes, at most 63)' }]])
})

test('5,000 random datagrams are counted and dropped, and names are still answered', async () => {
  const { server, udp } = await serve(config())
  const socket = createSocket('udp4')
  let replies = 0
  socket.on('message', () => replies++)
  for (let round = 0; round < 5000; round++) {
    socket.send(randomBytes(round % 80), udp, '127.0.0.1')
    if (round % 50 === 0) await new Promise((done) => setTimeout(done, 1))
  }
  expect(data(await askUdp(udp, 'node1.internal'))).toBe('127.0.0.5')
  socket.close()
  const { udp: seen, malformed, inFlight, badQueries } = server.counters()
  expect(seen).toBeGreaterThan(1000) // the kernel may drop some
  expect({ lost: seen - 1 - malformed - badQueries, replies, inFlight }).toEqual({ lost: 0, replies: badQueries, inFlight: 0 })
})
