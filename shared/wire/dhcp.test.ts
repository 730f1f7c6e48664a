import { describe, expect, test } from 'vitest'
import { type DhcpPacket, decodeDhcp, encodeDhcp, messageType } from './dhcp.ts'
import { latin1, OPTION, type Options } from './dhcp-options.ts'
import { WireError } from './errors.ts'

function packet(options: [number, Uint8Array][], more: Partial<DhcpPacket> = {}): DhcpPacket {
  return {
    op: 1,
    htype: 1,
    hops: 0,
    xid: 0xfedcba98,
    secs: 4,
    flags: 0x8000,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0xc0a80101,
    giaddr: 0,
    chaddr: Uint8Array.of(0x52, 0x54, 0, 1, 2, 3),
    sname: '',
    file: '',
    options: new Map(options),
    ...more,
  }
}
const discover: [number, Uint8Array] = [OPTION.messageType, Uint8Array.of(1)]
const bytesOf = (options: number[]) => {
  const head = encodeDhcp(packet([])).slice(0, 240)
  return Uint8Array.from([...head, ...options])
}

describe('what is encoded decodes to the same', () => {
  for (const { what, value } of [
    { what: 'a bare discover', value: packet([discover]) },
    { what: 'file and sname', value: packet([discover], { file: 'undionly.kpxe', sname: '10.0.0.1' }) },
    { what: 'a value of 255 bytes', value: packet([discover, [67, new Uint8Array(255).fill(7)]]) },
    { what: 'a value of 256 bytes, split (RFC 3396)', value: packet([discover, [67, new Uint8Array(256).fill(7)]]) },
    { what: 'an empty value', value: packet([discover, [80, new Uint8Array()]]) },
    { what: 'InfiniBand without a hardware address (RFC 4390)', value: packet([discover], { htype: 32, chaddr: new Uint8Array() }) },
  ])
    test(what, () => expect(decodeDhcp(encodeDhcp(value, 1472))).toEqual(value))
})

test('a message is never shorter than 300 bytes (RFC 1542 §2.1)', () => expect(encodeDhcp(packet([discover]))).toHaveLength(300))

describe('overload (option 52, RFC 2131 §4.1)', () => {
  const long = (code: number, length: number): [number, Uint8Array] => [code, new Uint8Array(length).fill(code)]
  test('what does not fit behind the header goes into file, then sname', () => {
    const value = packet([discover, long(43, 240), long(60, 100), long(66, 50)])
    const bytes = encodeDhcp(value, 548)
    expect(bytes).toHaveLength(548)
    expect(decodeDhcp(bytes)).toEqual(value)
    expect(String.fromCharCode(...bytes.subarray(108, 110))).toBe('<d') // option 60, 100 bytes
  })
  test('a header field in use is left alone', () => {
    const value = packet([discover, long(43, 240), long(66, 50), long(60, 60)], { file: 'a.efi' })
    const back = decodeDhcp(encodeDhcp(value, 548))
    expect(back.file).toBe('a.efi')
    expect([...back.options.keys()].sort((a, b) => a - b)).toEqual([43, 53, 60, 66])
  })
  test('what fits nowhere is left out, and the message stays whole', () => {
    const back = decodeDhcp(encodeDhcp(packet([discover, long(43, 255), long(67, 255), long(60, 30)], { file: 'a', sname: 'b' }), 548))
    expect([...back.options.keys()]).toEqual([53, 43, 60])
  })
  test('options of file come before those of sname', () => {
    const bytes = bytesOf([52, 1, 3, 255])
    bytes.set([12, 1, 97, 255], 108)
    bytes.set([12, 1, 98, 255], 44)
    expect(decodeDhcp(bytes).options).toEqual(new Map([[12, latin1('ab')]]))
  })
})

describe('what clients really send', () => {
  for (const { what, options, want } of [
    { what: 'PAD is one byte alone', options: [0, 0, 53, 1, 1, 0, 255], want: [[53, [1]]] },
    { what: 'a missing END is accepted', options: [53, 1, 3], want: [[53, [3]]] },
    { what: 'bytes behind END are ignored', options: [53, 1, 3, 255, 12, 200], want: [[53, [3]]] },
    {
      what: 'a repeated option continues (RFC 3396)',
      options: [12, 1, 97, 53, 1, 1, 12, 1, 98, 255],
      want: [
        [12, [97, 98]],
        [53, [1]],
      ],
    },
  ] as { what: string; options: number[]; want: [number, number[]][] }[])
    test(what, () => {
      const expected: Options = new Map(want.map(([code, value]) => [code, Uint8Array.from(value)]))
      expect(decodeDhcp(bytesOf(options)).options).toEqual(expected)
    })
  test('a type beyond RFC 2131 is none that we know', () => expect(messageType(decodeDhcp(bytesOf([53, 1, 13, 255])))).toBeUndefined())
})

describe('malformed packets are refused with the place', () => {
  const patched = (at: number, value: number) => {
    const bytes = bytesOf([53, 1, 1, 255])
    bytes[at] = value
    return bytes
  }
  for (const { what, bytes, says, offset } of [
    { what: 'nothing at all', bytes: new Uint8Array(), says: 'at least 240 bytes, got 0', offset: 0 },
    { what: 'a short header', bytes: new Uint8Array(239), says: 'got 239', offset: 239 },
    { what: 'a wrong op', bytes: patched(0, 3), says: 'op 1 or 2, got 3', offset: 0 },
    { what: 'a hardware address of 17 bytes', bytes: patched(2, 17), says: '17 bytes', offset: 2 },
    { what: 'a wrong cookie', bytes: patched(236, 0), says: 'magic cookie', offset: 236 },
    { what: 'an option without length', bytes: bytesOf([12]), says: 'option 12 has no length', offset: 240 },
    { what: 'an option longer than the packet', bytes: bytesOf([53, 1, 1, 12, 9, 97]), says: 'wants 9 bytes, 1 are left', offset: 243 },
    { what: 'a message type of three bytes', bytes: bytesOf([53, 3, 1, 1, 1]), says: 'option 53: expected 1 bytes, got 3', offset: 240 },
    { what: 'a requested address twice', bytes: bytesOf([50, 4, 1, 2, 3, 4, 50, 4, 1, 2, 3, 4]), says: 'got 8', offset: 246 },
    { what: 'overload 4', bytes: bytesOf([52, 1, 4, 255]), says: 'overload 4', offset: 240 },
  ])
    test(what, () => {
      try {
        decodeDhcp(bytes)
        expect.unreachable()
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
        expect(String(error)).toContain(says)
        expect(error).toHaveProperty('offset', offset)
      }
    })
})
