import { expect, test } from 'vitest'
import { HostImageRecipe } from '../recipe.ts'
import { mmdebstrapArguments, progressOf } from './mmdebstrap.ts'
import { excludedPaths, initramfsSettings, kernelPackage, packagesOf } from './packages.ts'

const recipe = (more: object = {}) => ({ ...HostImageRecipe.parse(more), suite: 'trixie' })

for (const { what, more, names } of [
  { what: 'the cloud kernel', more: {}, names: ['linux-image-cloud-amd64', 'openssh-server', 'systemd-sysv'] },
  { what: "all of Debian's drivers", more: { kernel: 'generic' }, names: ['linux-image-amd64'] },
  { what: 'a locale and a time zone', more: { locale: 'de_DE.UTF-8', timezone: 'Europe/Berlin' }, names: ['locales', 'tzdata'] },
  { what: 'further packages', more: { packages: ['nftables', 'zstd'] }, names: ['nftables'] },
])
  test(`a recipe with ${what} installs ${names.join(', ')}`, () => {
    const found = packagesOf(recipe(more))
    expect(found).toEqual(expect.arrayContaining(names))
    expect(new Set(found).size).toBe(found.length)
  })

test('names of kernels', () => {
  expect(kernelPackage({ kernel: 'cloud', architecture: 'arm64' })).toBe('linux-image-cloud-arm64')
  expect(initramfsSettings({ kernel: 'generic' })).toContain('MODULES=most')
  expect(excludedPaths({ kernel: 'generic' })).not.toContain('/lib/udev/hwdb.d/*')
})

test('mmdebstrap gets one archive line each, and paths with blanks and quotes survive its shell', () => {
  const args = mmdebstrapArguments({
    architecture: 'amd64',
    mode: 'unshare',
    archive: { codename: 'trixie', parts: [{ uri: 'http://m/', suite: 'trixie', components: ['main'] }] },
    packages: ['a', 'b'],
    excludedPaths: ['/usr/share/man/*'],
    aptSettings: '/w/apt.conf',
    overlay: "/w/it's mine",
    finish: '/w/finish.sh',
  })
  expect(args).toEqual(
    expect.arrayContaining([
      '--mode=unshare',
      '--include=a,b',
      '--dpkgopt=path-exclude=/usr/share/man/*',
      '--aptopt=/w/apt.conf',
      'deb http://m/ trixie main',
    ]),
  )
  expect(args.find((one) => one.startsWith('--essential-hook'))).toContain(`'/w/it'\\''s mine'/.`)
  expect(args.slice(-3)).toEqual(['trixie', '/dev/null', 'deb http://m/ trixie main'])
})

test('progress only grows', () => {
  const lines = [
    'I: running apt-get update...',
    'I: downloading packages with apt...',
    'I: installing remaining packages',
    'bridgehead: done',
  ]
  const fractions = lines.map((line) => progressOf(line)?.fraction ?? -1)
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
  expect(progressOf('Get:1 http://...')).toBeUndefined()
})
