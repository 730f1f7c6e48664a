import { expect, test } from 'vitest'
import { closeLibraries, neededBy } from './elf.ts'

/** A little ELF-64 file: one LOAD segment that maps the file at `base`, and a dynamic section behind its string table. */
function elf(needed: readonly string[], base = 0x400000): Uint8Array {
  const strings = `\0${needed.join('\0')}\0`
  const stringsAt = 64 + 2 * 56
  const dynamicAt = Math.ceil((stringsAt + strings.length) / 8) * 8
  const file = new Uint8Array(dynamicAt + 16 * (needed.length + 2))
  const view = new DataView(file.buffer)
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1])
  u64(32, 64) // program headers
  view.setUint16(54, 56, true)
  view.setUint16(56, 2, true)
  const segment = (at: number, type: number, offset: number, bytes: number) => {
    view.setUint32(at, type, true)
    u64(at + 8, offset)
    u64(at + 16, base + offset)
    u64(at + 32, bytes)
  }
  segment(64, 1, 0, file.length)
  segment(120, 2, dynamicAt, file.length - dynamicAt)
  file.set(new TextEncoder().encode(strings), stringsAt)
  const entries: [number, number][] = needed.map((name) => [1, strings.indexOf(`\0${name}\0`) + 1])
  for (const [index, [tag, value]] of [...entries, [5, base + stringsAt] as const].entries()) {
    u64(dynamicAt + 16 * index, tag)
    u64(dynamicAt + 16 * index + 8, value)
  }
  return file
}

test('a program names its libraries', () => {
  expect(neededBy(elf(['libc.so.6', 'libm.so.6']))).toEqual(['libc.so.6', 'libm.so.6'])
  expect(neededBy(elf([]))).toEqual([])
})

test.each([
  { what: 'a script', bytes: new TextEncoder().encode('#!/bin/sh\n'.repeat(10)) },
  { what: 'an empty file', bytes: new Uint8Array() },
  { what: 'a 32-bit program', bytes: elf([]).with(4, 1) },
])('$what is no such file', ({ bytes }) => expect(neededBy(bytes)).toBeUndefined())

test('libraries are followed to the end, and a gap is named with who needs it', () => {
  const libraries = new Map([
    ['libnft.so.1', ['libmnl.so.0', 'libc.so.6']],
    ['libmnl.so.0', ['libc.so.6']],
    ['libc.so.6', []],
    ['libunused.so.1', []],
  ])
  expect(closeLibraries(new Map([['usr/sbin/nft', ['libnft.so.1']]]), libraries)).toEqual(['libc.so.6', 'libmnl.so.0', 'libnft.so.1'])
  expect(() => closeLibraries(new Map([['usr/bin/x', ['libx.so.1']]]), libraries)).toThrow('usr/bin/x needs libx.so.1')
})
