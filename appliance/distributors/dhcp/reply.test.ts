import { ipv4ToNumber, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import { Lan } from '@bridgehead/shared/model/state.ts'
import { type DhcpPacket, decodeDhcp } from '@bridgehead/shared/wire/dhcp.ts'
import { formatDhcp } from '@bridgehead/shared/wire/dhcp-text.ts'
import { describe, expect, test } from 'vitest'
import { destination, encodeReply, lanFacts } from './reply.ts'

const LAN = Lan.parse({
  name: 'lan',
  subnet: '10.0.0.0/24',
  address: '10.0.0.1',
  router: '10.0.0.254',
  domain: 'site.internal',
  mode: 'serve',
})
const request = (more: Partial<DhcpPacket> = {}, options: [number, number[]][] = []): DhcpPacket => ({
  op: 1,
  htype: 1,
  hops: 1,
  xid: 0x01020304,
  secs: 9,
  flags: 0,
  ciaddr: 0,
  yiaddr: 0,
  siaddr: 0,
  giaddr: 0,
  chaddr: Uint8Array.of(2, 0, 0, 0, 0, 1),
  sname: '',
  file: '',
  options: new Map(options.map(([code, bytes]) => [code, Uint8Array.from(bytes)])),
  ...more,
})
const ip = ipv4ToNumber
const facts = lanFacts(LAN)

test('an ACK names mask, router, DNS (the appliance, unless told), domain, lease and renewal times', () => {
  const reply = { type: 'ack', yiaddr: ip('10.0.0.7'), leaseMs: 43_200_000, network: facts.network } as const
  const bytes = encodeReply(request({}, [[61, [1, 2, 0, 0, 0, 0, 1]]]), facts, reply)
  expect(formatDhcp(decodeDhcp(bytes))).toBe(
    [
      'ACK xid=01020304 secs=0 chaddr=1/020000000001 yiaddr=10.0.0.7',
      '  53 messageType: 5',
      '  54 serverId: 10.0.0.1',
      '  61 clientId: 01020000000001',
      '  51 leaseTime: 43200 s',
      '  58 renewalTime: 21600 s',
      '  59 rebindingTime: 37800 s',
      '  1 subnetMask: 255.255.255.0',
      '  3 router: 10.0.0.254',
      '  6 dns: 10.0.0.1',
      '  15 domainName: "site.internal"',
      '  28 broadcast: 10.0.0.255',
    ].join('\n'),
  )
})

test('a relay gets its option 82 back, and a NAK through it carries the broadcast flag (RFC 2131 §4.3.2)', () => {
  const relayed = request({ giaddr: ip('10.0.0.2') }, [[82, [1, 2, 65, 66]]])
  const back = decodeDhcp(encodeReply(relayed, facts, { type: 'nak', yiaddr: 0, message: 'no' }))
  expect(formatDhcp(back)).toBe(
    [
      'NAK xid=01020304 secs=0 flags=8000 chaddr=1/020000000001 giaddr=10.0.0.2',
      '  53 messageType: 6',
      '  54 serverId: 10.0.0.1',
      '  82 relayAgent: 01024142',
      '  56 message: "no"',
    ].join('\n'),
  )
})

describe('no message is longer than its client takes', () => {
  const boot = { siaddr: 0, file: 'a', options: [[67, new Uint8Array(600)] as [number, Uint8Array]] }
  for (const { says, bytes } of [
    { says: [0x02, 0x40], bytes: 548 },
    { says: [0x05, 0xc0], bytes: 1444 },
    { says: [0xff, 0x00], bytes: 1472 },
    { says: [0x00, 0x10], bytes: 548 },
  ])
    test(`option 57 of ${says.map((byte) => byte.toString(16).padStart(2, '0')).join('')}: at most ${bytes} bytes`, () => {
      const reply = { type: 'offer', yiaddr: 0, boot } as const
      expect(encodeReply(request({}, [[57, says]]), facts, reply).length).toBeLessThanOrEqual(bytes)
    })
})

describe('where a reply goes (RFC 2131 §4.1)', () => {
  for (const { what, packet, type, is } of [
    {
      what: 'through the relay that passed it on',
      packet: request({ giaddr: ip('10.0.0.2'), ciaddr: ip('10.0.0.7') }),
      type: 'ack',
      is: '10.0.0.2 relay',
    },
    { what: 'to the address that the client has', packet: request({ ciaddr: ip('10.0.0.7') }), type: 'ack', is: '10.0.0.7 client' },
    { what: 'to everybody when it has none', packet: request(), type: 'offer', is: '255.255.255.255 client' },
    {
      what: 'to everybody when it must give up the one it has',
      packet: request({ ciaddr: ip('10.0.0.7') }),
      type: 'nak',
      is: '255.255.255.255 client',
    },
  ] as const)
    test(what, () => {
      const { ip: to, to: whom } = destination(packet, type)
      expect(`${numberToIpv4(to)} ${whom}`).toBe(is)
    })
})
