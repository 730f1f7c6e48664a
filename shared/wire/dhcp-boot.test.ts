import { describe, expect, test } from 'vitest'
import type { Mac } from '../model/address.ts'
import type { DhcpPacket } from './dhcp.ts'
import { bootClientOf, decodeUuid, macOf, userClasses } from './dhcp-boot.ts'
import { latin1 } from './dhcp-options.ts'

const MAC = '52:54:00:01:02:03' as Mac
function packet(options: [number, Uint8Array][], more: Partial<DhcpPacket> = {}): DhcpPacket {
  const chaddr = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3)
  return {
    op: 1,
    htype: 1,
    hops: 0,
    xid: 1,
    secs: 0,
    flags: 0,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0,
    giaddr: 0,
    chaddr,
    sname: '',
    file: '',
    options: new Map(options),
    ...more,
  }
}
const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

describe('user classes', () => {
  for (const { what, value, is } of [
    { what: 'iPXE without a length byte', value: latin1('iPXE'), is: ['iPXE'] },
    { what: 'two classes as RFC 3004 has them', value: bytes('0469505845026f6b'), is: ['iPXE', 'ok'] },
    { what: 'nothing', value: new Uint8Array(), is: [] },
    { what: 'lengths that do not add up: one bare class', value: bytes('0261620363'), is: ['\x02ab\x03c'] },
  ])
    test(what, () => expect(userClasses(value)).toEqual(is))
})

describe('option 97', () => {
  for (const { what, value, is } of [
    { what: 'is turned from SMBIOS order', value: '000403020106050807090a0b0c0d0e0f10', is: '01020304-0506-0708-090a-0b0c0d0e0f10' },
    { what: 'of zeros is none', value: '0000000000000000000000000000000000', is: undefined },
    { what: 'of another type is none', value: '0103020106050807090a0b0c0d0e0f1011', is: undefined },
    { what: 'of a wrong length is none', value: '000403', is: undefined },
  ])
    test(what, () => expect(decodeUuid(bytes(value))).toBe(is))
})

describe('who asks to boot', () => {
  const vendor = (text: string): [number, Uint8Array] => [60, latin1(text)]
  for (const { what, options, is } of [
    { what: 'an ordinary client', options: [vendor('udhcp 1.35.0')], is: undefined },
    {
      what: 'PXE firmware',
      options: [vendor('PXEClient:Arch:00007:UNDI:003000'), [93, bytes('0007')]],
      is: ['uefi-x86_64', 'firmware', false],
    },
    {
      what: 'PXE firmware that leaves out option 93',
      options: [vendor('PXEClient:Arch:00011:UNDI:003000')],
      is: ['uefi-arm64', 'firmware', false],
    },
    { what: 'PXE firmware with a mangled class', options: [vendor('PXEClient')], is: ['unknown', 'firmware', false] },
    {
      what: 'UEFI HTTP boot',
      options: [vendor('HTTPClient:Arch:00016:UNDI:003000'), [93, bytes('0010')]],
      is: ['uefi-x86_64', 'firmware', true],
    },
    {
      what: 'iPXE by user class',
      options: [vendor('PXEClient:Arch:00000:UNDI:002001'), [93, bytes('0000')], [77, latin1('iPXE')]],
      is: ['bios-x86', 'ipxe', false],
    },
    {
      what: 'iPXE by option 175 alone',
      options: [
        [175, bytes('eb03010000')],
        [93, bytes('000b')],
      ],
      is: ['uefi-arm64', 'ipxe', false],
    },
  ] as { what: string; options: [number, Uint8Array][]; is: [string, string, boolean] | undefined }[])
    test(what, () => {
      const client = bootClientOf(packet(options), MAC)
      expect(client && [client.platform, client.stage, client.http]).toEqual(is)
    })
})

describe('hardware addresses', () => {
  for (const { what, more, is } of [
    { what: 'Ethernet', more: {}, is: MAC },
    { what: 'InfiniBand', more: { htype: 32, chaddr: new Uint8Array() }, is: undefined },
    { what: 'all zeros', more: { chaddr: new Uint8Array(6) }, is: undefined },
  ])
    test(what, () => expect(macOf(packet([], more))).toBe(is))
})
