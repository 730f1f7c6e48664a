import { expect, test } from 'vitest'
import { BuildRequest, buildHash, canonical, type NewBuildRequest } from './model.ts'

const SHA = 'a'.repeat(64)
const SOURCES = [{ kind: 'debian', package: 'grub2' }] as const
const hash = (request: NewBuildRequest) => buildHash(BuildRequest.parse(request), SOURCES)
const grub = { builder: 'grub', targets: ['i386-pc/core.img'] } satisfies NewBuildRequest

for (const { same, other } of [
  { same: 'a default that is spelt out', other: { ...grub, prefix: '/boot/grub' } },
  { same: 'a target twice', other: { ...grub, targets: ['i386-pc/core.img', 'i386-pc/core.img'] } },
  { same: 'members in another order', other: { targets: ['i386-pc/core.img'], builder: 'grub' } },
] satisfies { same: string; other: NewBuildRequest }[])
  test(`${same} is the same build`, () => expect(hash(other)).toBe(hash(grub)))

test('modules in another order are the same build', () => {
  expect(hash({ ...grub, modules: ['tftp', 'http', 'tftp'] })).toBe(hash({ ...grub, modules: ['http', 'tftp'] }))
})

for (const { different, other } of [
  { different: 'another target', other: { ...grub, targets: ['i386-pc/grub.pxe'] } },
  { different: 'an early configuration', other: { ...grub, config: '' } },
  { different: 'another source', other: { ...grub, source: { kind: 'debian', package: 'grub2', version: '2.12-9' } } },
  { different: 'another builder', other: { builder: 'syslinux' } },
] satisfies { different: string; other: NewBuildRequest }[])
  test(`${different} is another build`, () => expect(hash(other)).not.toBe(hash(grub)))

test('other sources in the settings make another build', () => {
  const request = BuildRequest.parse(grub)
  expect(buildHash(request, [{ kind: 'upload', sha256: SHA, name: 'grub', version: '2.12' }])).not.toBe(buildHash(request, SOURCES))
})

for (const { wrong, request, says } of [
  { wrong: 'no builder', request: {}, says: /builder/ },
  { wrong: 'an unknown builder', request: { builder: 'lilo' }, says: /builder/ },
  { wrong: 'no target', request: { builder: 'grub', targets: [] }, says: /at least one target/ },
  { wrong: 'an unknown target', request: { builder: 'grub', targets: ['sparc64/core.img'] }, says: /targets/ },
  { wrong: 'an unknown SYSLINUX file', request: { builder: 'syslinux', targets: ['../../etc/passwd'] }, says: /targets/ },
  { wrong: 'an unknown member', request: { ...grub, module: ['http'] }, says: /module/ },
  { wrong: 'a module that is an option', request: { ...grub, modules: ['--config=/etc/passwd'] }, says: /name of a GRUB module/ },
  { wrong: 'a prefix with a quote', request: { ...grub, prefix: "/boot'; rm" }, says: /GRUB path/ },
  { wrong: 'a configuration beyond all bounds', request: { ...grub, config: 'x'.repeat(65_537) }, says: /64 KiB/ },
  { wrong: 'a directory of the manager', request: { ...grub, source: { kind: 'directory', path: '/etc' } }, says: /source/ },
  {
    wrong: 'a URL without checksum',
    request: { ...grub, source: { kind: 'url', url: 'https://x.example/a.tar.gz', name: 'a', version: '1' } },
    says: /sha256/,
  },
  {
    wrong: 'a URL of a file',
    request: { ...grub, source: { kind: 'url', url: 'file:///etc/passwd', sha256: SHA, name: 'a', version: '1' } },
    says: /http or https/,
  },
  {
    wrong: 'a URL with a password',
    request: { ...grub, source: { kind: 'url', url: 'https://a:b@x.example/a.tar.gz', sha256: SHA, name: 'a', version: '1' } },
    says: /without user and password/,
  },
])
  test(`a request with ${wrong} is refused`, () => {
    expect(JSON.stringify(BuildRequest.safeParse(request).error?.issues)).toMatch(says)
  })

test('SYSLINUX gives all its files unless told which', () => {
  const request = BuildRequest.parse({ builder: 'syslinux' })
  expect(request.builder === 'syslinux' && request.targets).toContain('mbr/isohdpfx.bin')
})

test('canonical text has members in order, at every depth', () => {
  expect(canonical({ b: [{ d: 1, c: undefined }], a: null })).toBe('{"a":null,"b":[{"d":1}]}')
})
