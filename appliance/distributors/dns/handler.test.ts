import { buildZone } from '@bridgehead/shared/dns/zone.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { Cidr4, Ipv4 } from '@bridgehead/shared/model/address.ts'
import { decode, encode, type OptAnswer, type Packet, type RecordType } from 'dns-packet'
import { expect, test } from 'vitest'
import { createCounters } from './counters.ts'
import { createHandler } from './handler.ts'
import type { Resolver } from './resolver.ts'

const { zone } = buildZone(
  {
    lans: [{ address: '192.168.1.1' as Ipv4, subnet: '192.168.1.0/24' as Cidr4 }],
    zone: 'internal',
    forwarders: [],
    records: [
      { name: 'big', type: 'TXT', value: 'x'.repeat(1000), ttl: 300 },
      { name: 'huge', type: 'TXT', value: 'x'.repeat(3000), ttl: 300 },
      { name: 'out', type: 'CNAME', value: 'www.example.org', ttl: 300 },
    ],
    names: [{ name: 'node1', ip: '192.168.1.10' as Ipv4 }],
  },
  7,
)
const FOREIGN = encode({
  type: 'response',
  flags: 0x01a0, // RD, RA, AD
  questions: [{ type: 'A', name: 'www.example.org' }],
  answers: [{ type: 'A', name: 'www.example.org', ttl: 60, data: '192.0.2.1' }],
})

function rig({ resolve = async () => FOREIGN, cached = () => undefined }: Partial<Pick<Resolver, 'resolve' | 'cached'>> = {}) {
  const counters = createCounters()
  const resolver: Resolver = { resolve, cached, clear: () => undefined, inFlight: () => 0 }
  const handler = createHandler({ zone: () => zone, resolver, counters, log: silentLog })
  const ask = (bytes: Buffer, transport: 'udp' | 'tcp' = 'udp') =>
    new Promise<Buffer | undefined>((done) => {
      if (!handler.handle(bytes, transport, done)) done(undefined)
    })
  return { counters, handler, ask }
}

const opt = (udpPayloadSize: number, more: Partial<OptAnswer> = {}): OptAnswer => ({
  type: 'OPT',
  name: '.',
  udpPayloadSize,
  flags: 0,
  options: [],
  extendedRcode: 0,
  ednsVersion: 0,
  flag_do: false,
  ...more,
})
const query = (name: string, type: RecordType = 'A', more: Packet = {}) =>
  encode({ type: 'query', id: 0xbeef, flags: 0x0100, questions: [{ type, name }], ...more })

/** Answer in short: rcode, flags, values, whether it carries OPT. */
async function short(bytes: Buffer, transport: 'udp' | 'tcp' = 'udp', made = rig()): Promise<string> {
  const reply = await made.ask(bytes, transport)
  if (!reply) return 'nothing'
  const packet = decode(reply)
  expect(packet.id).toBe(bytes.readUInt16BE(0))
  expect(packet.type).toBe('response')
  const flags = [packet.flag_aa && 'aa', packet.flag_tc && 'tc', packet.flag_rd && 'rd', packet.flag_ra && 'ra', packet.flag_ad && 'ad']
  const values = (packet.answers ?? []).map((one) => ('data' in one ? String(one.data).slice(0, 20) : ''))
  const own = packet.additionals?.find((one) => one.type === 'OPT')
  return [Reflect.get(packet, 'rcode'), ...flags.filter(Boolean), ...values, own && `opt${own.udpPayloadSize}`].filter(Boolean).join(' ')
}

for (const { asks, bytes, transport, gets } of [
  { asks: 'a local name', bytes: query('node1.internal'), gets: 'NOERROR aa rd ra 192.168.1.10' },
  { asks: 'without wanting recursion', bytes: query('node1.internal', 'A', { flags: 0 }), gets: 'NOERROR aa ra 192.168.1.10' },
  { asks: 'with EDNS', bytes: query('node1.internal', 'A', { additionals: [opt(4096)] }), gets: 'NOERROR aa rd ra 192.168.1.10 opt1232' },
  { asks: 'an unknown local name', bytes: query('nobody.internal'), gets: 'NXDOMAIN aa rd ra' },
  { asks: 'more than 512 bytes without EDNS', bytes: query('big.internal', 'TXT'), gets: 'NOERROR aa tc rd ra' },
  {
    asks: 'up to 1232 bytes with EDNS',
    bytes: query('big.internal', 'TXT', { additionals: [opt(4096)] }),
    gets: `NOERROR aa rd ra ${'x'.repeat(20)} opt1232`,
  },
  { asks: 'with a tiny EDNS size', bytes: query('big.internal', 'TXT', { additionals: [opt(1)] }), gets: 'NOERROR aa tc rd ra opt1232' },
  {
    asks: 'more than 1232 bytes',
    bytes: query('huge.internal', 'TXT', { additionals: [opt(65_535)] }),
    gets: 'NOERROR aa tc rd ra opt1232',
  },
  {
    asks: 'more than 1232 bytes by TCP',
    bytes: query('huge.internal', 'TXT'),
    transport: 'tcp',
    gets: `NOERROR aa rd ra ${'x'.repeat(20)}`,
  },
  { asks: 'a foreign name', bytes: query('www.example.org'), gets: 'NOERROR rd ra 192.0.2.1' },
  { asks: 'a foreign name, without recursion', bytes: query('www.example.org', 'A', { flags: 0 }), gets: 'REFUSED ra' },
  { asks: 'an alias of a foreign name', bytes: query('out.internal'), gets: 'NOERROR rd ra www.example.org 192.0.2.1' },
  {
    asks: 'in a later EDNS',
    bytes: query('node1.internal', 'A', { additionals: [opt(1232, { ednsVersion: 1 })] }),
    gets: 'NOERROR rd ra opt1232',
  },
  { asks: 'for a zone transfer', bytes: query('internal', 'AXFR'), gets: 'REFUSED rd ra' },
  {
    asks: 'in another class',
    bytes: query('version.bind', 'TXT', { questions: [{ type: 'TXT', name: 'version.bind', class: 'CH' }] }),
    gets: 'REFUSED rd ra',
  },
  { asks: 'to update', bytes: query('node1.internal', 'A', { flags: 5 << 11 }), gets: 'NOTIMP ra' },
  {
    asks: 'with a broken end',
    bytes: Buffer.concat([query('a.internal', 'A', { additionals: [opt(1232)] }).subarray(0, -3)]),
    gets: 'FORMERR rd ra',
  },
  {
    asks: 'by a response',
    bytes: encode({ type: 'response', id: 1, questions: [{ type: 'A', name: 'node1.internal' }] }),
    gets: 'nothing',
  },
  { asks: 'nothing', bytes: Buffer.alloc(0), gets: 'nothing' },
] as { asks: string; bytes: Buffer; transport?: 'udp' | 'tcp'; gets: string }[])
  test(`who asks ${asks} gets ${gets}`, async () => expect(await short(bytes, transport)).toBe(gets))

test('a later EDNS is told that its version is unknown (RFC 6891 §6.1.3)', async () => {
  const reply = await rig().ask(query('node1.internal', 'A', { additionals: [opt(1232, { ednsVersion: 1 })] }))
  expect(decode(reply ?? Buffer.alloc(0)).additionals).toMatchObject([{ extendedRcode: 1, ednsVersion: 0 }])
})

test('letter case comes back as it came, for local and foreign names, kept or not', async () => {
  const made = rig({ cached: () => Buffer.from(FOREIGN) })
  for (const name of ['NoDe1.InTernal', 'node1.internal', 'NoDe1.InTernal', 'wWw.eXample.org']) {
    const reply = await made.ask(query(name))
    expect(decode(reply ?? Buffer.alloc(0)).questions?.[0]?.name).toBe(name)
  }
  expect(made.counters).toMatchObject({ wireHits: 1, local: 2, cached: 1 })
})

test('whole answers are given again under the new id, until the zone changes', async () => {
  const made = rig()
  const first = await made.ask(query('node1.internal', 'A', { id: 1 }))
  const second = await made.ask(query('node1.internal', 'A', { id: 2 }))
  expect(second?.subarray(2)).toEqual(first?.subarray(2))
  expect(second?.readUInt16BE(0)).toBe(2)
  expect(made.counters.wireHits).toBe(1)
  made.handler.clear()
  await made.ask(query('node1.internal', 'A', { id: 3 }))
  expect(made.counters).toMatchObject({ wireHits: 1, local: 2 })
})

test('when no forwarder answers the client is told SERVFAIL, and it is counted', async () => {
  const made = rig({ resolve: async () => undefined })
  expect(await short(query('www.example.org'), 'udp', made)).toBe('SERVFAIL rd ra')
  expect(made.counters.servfail).toBe(1)
})

test("a forwarder's answer that cannot be joined to an alias becomes SERVFAIL", async () => {
  const made = rig({ resolve: async () => Buffer.from([1, 2, 3]) })
  expect(await short(query('out.internal'), 'udp', made)).toBe('SERVFAIL rd ra')
})

test('strangers are refused, and responses of strangers get nothing', () => {
  const { handler, counters } = rig()
  const sent: Buffer[] = []
  handler.refuse(query('node1.internal'), (reply) => sent.push(reply))
  handler.refuse(FOREIGN, (reply) => sent.push(reply))
  handler.refuse(Buffer.alloc(5), (reply) => sent.push(reply))
  expect(sent.map((reply) => [reply.length, reply.readUInt16BE(0), reply.readUInt16BE(2)])).toEqual([[12, 0xbeef, 0x8105]])
  expect(counters.refused).toBe(3)
})

test('100,000 random and mutated messages are answered or dropped, and nothing is kept of them', async () => {
  const { handler, counters } = rig({ resolve: () => Promise.resolve(undefined) })
  const seeds = [
    query('node1.internal'),
    query('www.example.org', 'AAAA', { additionals: [opt(4096)] }),
    query('1.1.168.192.in-addr.arpa', 'PTR'),
    FOREIGN,
  ]
  let state = 99
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  let replies = 0
  let dropped = 0
  for (let round = 0; round < 100_000; round++) {
    const seed = seeds[random(seeds.length)] ?? Buffer.alloc(0)
    const bytes = round % 2 ? Buffer.from(seed) : Buffer.from(Array.from({ length: random(64) }, () => random(256)))
    for (let change = random(4); change > 0; change--) bytes[random(bytes.length)] = random(256)
    const isRead = handler.handle(bytes, 'udp', (reply) => {
      replies++
      if (reply.readUInt16BE(0) !== bytes.readUInt16BE(0) || !(reply.readUInt16BE(2) & 0x8000)) throw new Error('no answer to this query')
    })
    if (!isRead) dropped++
    if (round % 1000 === 0) await new Promise((done) => setImmediate(done))
  }
  await new Promise((done) => setImmediate(done))
  expect(replies + dropped).toBe(100_000)
  expect(dropped).toBe(counters.malformed)
  expect(dropped).toBeGreaterThan(50_000)
})
