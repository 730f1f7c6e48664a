import { expect, test } from 'vitest'
import { appletsOf, isNamed, matches, pick } from './picks.ts'

test.each([
  { pattern: 'usr/bin/wg', path: 'usr/bin/wg', is: true },
  { pattern: 'usr/bin/*', path: 'usr/bin/wg', is: true },
  { pattern: 'usr/*', path: 'usr/bin/wg', is: false },
  { pattern: 'usr/**', path: 'usr/bin/wg', is: true },
  { pattern: 'boot/vmlinuz-*', path: 'boot/vmlinuz-6.12.1+deb13-amd64', is: true },
  { pattern: 'lib/a.so', path: 'lib/axso', is: false },
])('$pattern and $path: $is', ({ pattern, path, is }) => expect(matches(pattern)(path)).toBe(is))

test('files are picked once and in order; a pattern that finds nothing is named', () => {
  expect(pick(['b', 'a', 'c'], ['a', '*'])).toEqual(['a', 'b', 'c'])
  expect(() => pick(['a'], ['usr/sbin/nft'])).toThrow('no package has "usr/sbin/nft"')
})

test('applets are read from the program itself', () => {
  const names = ['[', '[[', ...Array.from({ length: 120 }, (_, index) => `applet${index}`)]
  const program = new TextEncoder().encode(`\x7fELF junk\0${names.join('\0')}\0\0more`)
  expect(appletsOf(program)).toEqual(names)
  expect(() => appletsOf(new Uint8Array(100))).toThrow('no list of applets')
})

test('what lets somebody in gets no name', () => {
  for (const applet of ['getty', 'login', 'telnetd', 'su', 'passwd', 'httpd', 'nc']) expect(isNamed(applet)).toBe(false)
  for (const applet of ['udhcpc', 'mount', 'sh', 'ncal']) expect(isNamed(applet)).toBe(true)
})
