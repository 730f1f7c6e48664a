import { expect, test } from 'vitest'
import { artifactName, describeSource, dscFiles } from './source.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)

test('a .dsc names its files by their sha256, whatever other sums stand there', () => {
  const text = `-----BEGIN PGP SIGNED MESSAGE-----

Format: 3.0 (quilt)
Source: syslinux
Checksums-Sha1:
 0123456789012345678901234567890123456789 1 x_1.orig.tar.xz
Checksums-Sha256:
 ${A} 4224 x_1~git.orig.tar.xz
 ${B} 43884 x_1~git-3.debian.tar.xz
Files:
 0123456789abcdef0123456789abcdef 1 x_1.orig.tar.xz

-----BEGIN PGP SIGNATURE-----
`
  expect(dscFiles(text)).toEqual([
    { sha256: A, name: 'x_1~git.orig.tar.xz' },
    { sha256: B, name: 'x_1~git-3.debian.tar.xz' },
  ])
})

for (const { what, text } of [
  { what: 'no sums', text: 'Format: 3.0 (quilt)\n' },
  { what: 'a path instead of a name', text: `Checksums-Sha256:\n ${A} 1 ../../etc/passwd\n` },
  { what: 'a name with a space', text: `Checksums-Sha256:\n ${A} 1 a b\n` },
  { what: 'a name that a shell would run', text: `Checksums-Sha256:\n ${A} 1 $(reboot)\n` },
])
  test(`a .dsc with ${what} names no file`, () => expect(dscFiles(text)).toEqual([]))

test('file names become names that artifacts may have', () => {
  expect(artifactName('x_1~rc1-3.dsc')).toBe('x_1-rc1-3.dsc')
  expect(artifactName(`${'x'.repeat(200)}.tar.xz`)).toHaveLength(100)
})

test('places are told as people name them', () => {
  expect(describeSource({ kind: 'debian', package: 'grub2', suite: 'trixie' })).toBe('Debian source package grub2 of trixie')
  expect(describeSource({ kind: 'directory', path: '/srv/ipxe' })).toBe('/srv/ipxe')
})
