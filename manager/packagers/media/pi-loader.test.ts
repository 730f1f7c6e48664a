import { expect, test } from 'vitest'
import { withoutHalts } from './pi-loader.ts'

const WFI = [0x7f, 0x20, 0x03, 0xd5]
const NOP = [0x1f, 0x20, 0x03, 0xd5]

/** A PE file with `code` as .text at 0x200 and the same bytes as .data at 0x300. */
function program(code: readonly number[], machine = 0xaa64): Buffer {
  const bytes = Buffer.alloc(0x400)
  bytes.write('MZ')
  bytes.writeUInt32LE(0x40, 0x3c)
  bytes.write('PE\0\0', 0x40)
  bytes.writeUInt16LE(machine, 0x44)
  bytes.writeUInt16LE(2, 0x46)
  bytes.writeUInt16LE(0, 0x54)
  for (const [index, [name, at]] of (
    [
      ['.data', 0x300],
      ['.text', 0x200],
    ] as const
  ).entries()) {
    bytes.write(name, 0x58 + 40 * index)
    bytes.writeUInt32LE(0x100, 0x58 + 40 * index + 16)
    bytes.writeUInt32LE(at, 0x58 + 40 * index + 20)
    bytes.set(code, at)
  }
  return bytes
}

test('every halt in the code becomes a nop; data, and what only looks like a halt, stays', () => {
  const code = [...WFI, 1, 0x7f, 0x20, 0x03, 0xd5, 0, 0, 0, ...WFI]
  const changed = withoutHalts(program(code))
  expect([...changed.subarray(0x200, 0x200 + code.length)]).toEqual([...NOP, ...code.slice(4, 12), ...NOP])
  expect([...changed.subarray(0x300, 0x300 + code.length)]).toEqual(code)
})

test('what it was given stays as it was', () => {
  const before = program(WFI)
  withoutHalts(before)
  expect(before.equals(program(WFI))).toBe(true)
})

for (const { file, bytes, says } of [
  { file: 'a text', bytes: Buffer.from('#!ipxe'), says: 'no EFI program' },
  { file: 'half a file', bytes: program(WFI).subarray(0, 0x42), says: 'no EFI program' },
  { file: 'a loader for x86_64', bytes: program(WFI, 0x8664), says: '0x8664; expected arm64' },
  { file: 'a file cut off in its section table', bytes: program(WFI).subarray(0, 0x60), says: 'no section .text' },
])
  test(`${file} is refused`, () => {
    expect(() => withoutHalts(bytes)).toThrow(says)
  })
