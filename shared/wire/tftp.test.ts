import { expect, test } from 'vitest'
import { WireError } from './errors.ts'
import { decodeTftp, encodeTftp, type TftpPacket, writeDataHead } from './tftp.ts'
import { negotiateTftp } from './tftp-options.ts'

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))
const options = (pairs: Record<string, string>) => new Map(Object.entries(pairs))

const PACKETS: { what: string; packet: TftpPacket; wire: string }[] = [
  {
    what: 'a read request',
    packet: { kind: 'read', file: 'undionly.kpxe', mode: 'octet', options: new Map() },
    wire: '\0\x01undionly.kpxe\0octet\0',
  },
  {
    what: 'a read request with the options of OVMF',
    packet: { kind: 'read', file: 'a.efi', mode: 'octet', options: options({ tsize: '0', blksize: '1468', windowsize: '4' }) },
    wire: '\0\x01a.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0',
  },
  { what: 'a write request', packet: { kind: 'write', file: 'x', mode: 'octet', options: new Map() }, wire: '\0\x02x\0octet\0' },
  { what: 'data', packet: { kind: 'data', block: 0x1234, bytes: bytes('abc') }, wire: '\0\x03\x12\x34abc' },
  { what: 'an empty last block', packet: { kind: 'data', block: 2, bytes: bytes('') }, wire: '\0\x03\0\x02' },
  { what: 'an acknowledgement', packet: { kind: 'ack', block: 65_535 }, wire: '\0\x04\xff\xff' },
  { what: 'an error', packet: { kind: 'error', code: 5, message: 'who are you?' }, wire: '\0\x05\0\x05who are you?\0' },
  { what: 'an option acknowledgement', packet: { kind: 'oack', options: options({ blksize: '1024' }) }, wire: '\0\x06blksize\x001024\0' },
]
for (const { what, packet, wire } of PACKETS)
  test(`${what} reads and writes as its RFC draws it`, () => {
    expect(encodeTftp(packet)).toEqual(bytes(wire))
    expect(decodeTftp(bytes(wire))).toEqual(packet)
  })

for (const { what, wire, packet } of [
  {
    what: 'option names in capitals',
    wire: '\0\x01a\0OCTET\0BLKSIZE\x008\0',
    packet: { options: options({ blksize: '8' }), mode: 'octet' },
  },
  { what: 'padding behind the options', wire: '\0\x01a\0octet\0tsize\x000\0\0\0\0', packet: { options: options({ tsize: '0' }) } },
  { what: 'a repeated option', wire: '\0\x01a\0octet\0tsize\x000\0TSIZE\x007\0', packet: { options: options({ tsize: '0' }) } },
  { what: 'an error message without its end', wire: '\0\x05\0\0gone', packet: { code: 0, message: 'gone' } },
  { what: 'bytes behind an acknowledgement', wire: '\0\x04\0\x01xx', packet: { block: 1 } },
])
  test(`${what} is read leniently`, () => expect(decodeTftp(bytes(wire))).toMatchObject(packet))

for (const { what, wire } of [
  { what: 'nothing', wire: '' },
  { what: 'one byte', wire: '\0' },
  { what: 'an unknown opcode', wire: '\0\x07' },
  { what: 'an opcode above 255', wire: '\x01\x01a\0octet\0' },
  { what: 'a request without end', wire: '\0\x01undionly' },
  { what: 'a request without mode', wire: '\0\x01a\0' },
  { what: 'a request for an empty name', wire: '\0\x01\0octet\0' },
  { what: 'an option without value', wire: '\0\x01a\0octet\0blksize\0' },
  { what: 'a cut acknowledgement', wire: '\0\x04\0' },
  { what: 'a cut error', wire: '\0\x05\0' },
])
  test(`${what} throws WireError`, () => expect(() => decodeTftp(bytes(wire))).toThrow(WireError))

test('twenty thousand random packets throw nothing but WireError', () => {
  let seed = 7
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed >>> 8
  }
  for (let round = 0; round < 20_000; round++) {
    const packet = Uint8Array.from({ length: random() % 40 }, (_, at) =>
      at === 0 ? 0 : at === 1 ? random() % 8 : random() % 4 === 0 ? 0 : random() & 255,
    )
    try {
      decodeTftp(packet)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
    }
  }
})

test('a text that holds a NUL is never written', () => {
  expect(() => encodeTftp({ kind: 'error', code: 0, message: 'a\0b' })).toThrow(RangeError)
})

test('the header of a block wraps at 65536', () => {
  const target = new Uint8Array(6)
  writeDataHead(target, 1, 65_536 + 3)
  expect([...target]).toEqual([0, 0, 3, 0, 3, 0])
})

for (const { what, asked, accepted, blockBytes = 512, window = 1 } of [
  { what: 'asks for nothing', asked: {}, accepted: {} },
  { what: 'asks for the size', asked: { tsize: '0' }, accepted: { tsize: '9000' } },
  { what: 'says how much room it has', asked: { tsize: '1048576' }, accepted: { tsize: '9000' } },
  { what: 'asks for a block size that fits', asked: { blksize: '1432' }, accepted: { blksize: '1432' }, blockBytes: 1432 },
  { what: 'asks for blocks that would be fragments', asked: { blksize: '65464' }, accepted: { blksize: '1468' }, blockBytes: 1468 },
  { what: 'asks for blocks under the least', asked: { blksize: '7' }, accepted: {} },
  { what: 'asks for blocks over the most', asked: { blksize: '65465' }, accepted: {} },
  { what: 'asks for a window', asked: { windowsize: '16' }, accepted: { windowsize: '16' }, window: 16 },
  { what: 'asks for a huge window', asked: { windowsize: '65535' }, accepted: { windowsize: '64' }, window: 64 },
  { what: 'asks for no window at all', asked: { windowsize: '0' }, accepted: {} },
  { what: 'writes words for numbers', asked: { blksize: 'large', windowsize: '-4', timeout: '1e1' }, accepted: {} },
  { what: 'asks for a timeout', asked: { timeout: '3' }, accepted: { timeout: '3' } },
  { what: 'asks for a timeout that would hold a socket for hours', asked: { timeout: '255' }, accepted: {} },
  { what: 'asks for what nobody knows', asked: { multicast: '', utimeout: '5' }, accepted: {} },
])
  test(`a client that ${what} gets ${JSON.stringify(accepted)}`, () => {
    const terms = negotiateTftp(options(asked), 9000)
    expect(Object.fromEntries(terms.accepted)).toEqual(accepted)
    expect(terms).toMatchObject({ blockBytes, window })
  })
