import { expect, test } from 'vitest'
import { type CpioEntry, encodeCpio } from './cpio.ts'

const text = (path: string, content: string): CpioEntry => ({ path, kind: 'file', bytes: new TextEncoder().encode(content) })
const entries: CpioEntry[] = [
  text('init', '#!/bin/sh\n'),
  { path: 'bin/sh', kind: 'link', target: 'busybox' },
  { path: 'dev/console', kind: 'device', major: 5, minor: 1 },
  { path: 'bin/busybox', kind: 'file', mode: 0o755, bytes: new Uint8Array([1, 2, 3]) },
]

/** Reads the archive back, by the kernel's rules. */
function decode(archive: Uint8Array) {
  const members: { name: string; mode: number; size: number; major: number; minor: number; data: string; mtime: number }[] = []
  const ascii = (from: number, to: number) => new TextDecoder().decode(archive.subarray(from, to))
  for (let at = 0; ; ) {
    expect(ascii(at, at + 6)).toBe('070701')
    const field = (index: number) => Number.parseInt(ascii(at + 6 + 8 * index, at + 14 + 8 * index), 16)
    const name = ascii(at + 110, at + 110 + field(11) - 1)
    const dataAt = (at + 110 + field(11) + 3) & ~3
    if (name === 'TRAILER!!!') return members
    members.push({
      name,
      mode: field(1),
      mtime: field(5),
      size: field(6),
      major: field(9),
      minor: field(10),
      data: ascii(dataAt, dataAt + field(6)),
    })
    at = (dataAt + field(6) + 3) & ~3
  }
}

test('members come sorted, parents first, with their kinds and modes', () => {
  const found = decode(encodeCpio(entries, { mtime: 42 }))
  expect(found.map(({ name, mode }) => `${name} ${mode.toString(8)}`)).toEqual([
    'bin 40755',
    'bin/busybox 100755',
    'bin/sh 120777',
    'dev 40755',
    'dev/console 20600',
    'init 100644',
  ])
  expect(found.find(({ name }) => name === 'bin/sh')?.data).toBe('busybox')
  expect(found.find(({ name }) => name === 'init')?.data).toBe('#!/bin/sh\n')
  expect(found.find(({ name }) => name === 'dev/console')).toMatchObject({ major: 5, minor: 1 })
  expect(new Set(found.map(({ mtime }) => mtime))).toEqual(new Set([42]))
})

test('the same members in any order are the same bytes', () => {
  expect(encodeCpio([...entries].reverse())).toEqual(encodeCpio(entries))
})

test('the whole is a multiple of four bytes', () => expect(encodeCpio([text('a', 'x')]).length % 4).toBe(0))

test('one path twice is refused', () => expect(() => encodeCpio([text('a', 'x'), text('a', 'y')])).toThrow(/two entries are named "a"/))
