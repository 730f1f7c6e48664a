import { expect, test } from 'vitest'
import type { Mac } from '../model/address.ts'
import { decodeDhcp, encodeDhcp } from './dhcp.ts'
import { bootClientOf, macOf } from './dhcp-boot.ts'
import { latin1 } from './dhcp-options.ts'
import { formatDhcp } from './dhcp-text.ts'
import { WireError } from './errors.ts'

/** Small, fast, repeatable (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) % below
  }
}

const seeds = [
  [
    [53, '\x01'],
    [57, '\x05\xc0'],
    [93, '\0\0'],
    [94, '\x01\x02\x01'],
    [60, 'PXEClient:Arch:00000:UNDI:002001'],
    [77, 'iPXE'],
    [97, '\0'.repeat(17)],
    [61, '\x01RT\0w\0\x72'],
    [175, '\xb1\x05\x01\x80\x86\x10\x0e\xeb\x03\x01\0\0'],
  ],
  [
    [53, '\x03'],
    [50, '\x0a\0\0\x07'],
    [54, '\x0a\0\0\x01'],
    [55, '\x01\x03\x06'],
    [43, 'G\x04\x80\0\0\0\xff'],
    [12, 'host'],
    [82, '\x01\x04eth0'],
  ],
].map((options) =>
  encodeDhcp({
    op: 1,
    htype: 1,
    hops: 0,
    xid: 7,
    secs: 0,
    flags: 0,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0,
    giaddr: 0,
    chaddr: Uint8Array.of(2, 0, 0, 0, 0, 1),
    sname: '',
    file: '',
    options: new Map(options.map(([code, text]) => [Number(code), latin1(String(text))])),
  }),
)

test('100,000 mutated packets: a value or a WireError, nothing else', () => {
  const random = randomFrom(20261122)
  let refused = 0
  for (let round = 0; round < 100_000; round++) {
    const bytes = Uint8Array.from(seeds[round % seeds.length] ?? [])
    for (let count = random(6); count >= 0; count--) {
      // mostly the options: the header has few ways to be wrong
      const at = random(4) === 0 ? random(bytes.length) : 240 + random(bytes.length - 240)
      bytes[at] = random(256)
    }
    if (random(20) === 0) bytes.set([52, 1, random(5)], 240)
    const cut = random(3) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes
    try {
      const packet = decodeDhcp(cut)
      bootClientOf(packet, macOf(packet) ?? ('02:00:00:00:00:01' as Mac))
      formatDhcp(packet)
      decodeDhcp(encodeDhcp({ ...packet, sname: '', file: '' }, 548))
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      refused += 1
    }
  }
  expect(refused).toBeGreaterThan(10_000)
  expect(refused).toBeLessThan(90_000)
})
