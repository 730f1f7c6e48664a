import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { checkIpxeRequest, ipxeRequestShape } from './request.ts'
import { EC_CA, ED25519_CA, PRIVATE_KEY, RSA_CA } from './testing-certificates.ts'

const IpxeRequest = z.strictObject(ipxeRequestShape).superRefine(checkIpxeRequest)
const base = { builder: 'ipxe', targets: ['bin/undionly.kpxe'] }

test('what is left out has its default, and targets have one order', () => {
  const request = IpxeRequest.parse({ ...base, targets: ['bin-arm64-efi/snponly.efi', 'bin/undionly.kpxe', 'bin/undionly.kpxe'] })
  expect(request.targets).toEqual(['bin/undionly.kpxe', 'bin-arm64-efi/snponly.efi'])
  expect(request.options).toMatchObject({ https: false, vlan: true, poweroff: true, keyboard: 'us', bannerSeconds: 2 })
})

test('certificates are kept without what stands around them', () => {
  const parse = (trust: string) => IpxeRequest.parse({ ...base, options: { https: true, trust } }).options.trust
  expect(parse(`\n\nissuer: me\r\n${RSA_CA.replaceAll('\n', '\r\n')}`)).toBe(parse(RSA_CA))
  expect(new X509Certificate(parse(`${RSA_CA}${EC_CA}`) ?? '').subject).toContain('RSA')
})

for (const { wish, request, path, says } of [
  { wish: 'an unknown target', request: { ...base, targets: ['bin/ipxe.exe'] }, path: 'targets.0', says: 'bin/undionly.kpxe' },
  { wish: 'no target', request: { ...base, targets: [] }, path: 'targets', says: 'at least one target' },
  { wish: 'an unknown option', request: { ...base, options: { htps: true } }, path: 'options', says: 'htps' },
  { wish: 'an option of another type', request: { ...base, options: { https: 'yes' } }, path: 'options.https', says: 'boolean' },
  { wish: 'a script that is none', request: { ...base, script: 'echo hello' }, path: 'script', says: 'expected #!ipxe' },
  { wish: 'a script too long', request: { ...base, script: `#!ipxe\n${'# '.repeat(40_000)}` }, path: 'script', says: 'at most 65536' },
  {
    wish: 'a command whose option is off',
    request: { ...base, options: { poweroff: false }, script: '#!ipxe\npoweroff\n' },
    path: 'script',
    says: 'line 2: "poweroff" is not in the loader with these options; turn on the option "poweroff"',
  },
  {
    wish: 'a command that one of the targets cannot have',
    request: { ...base, targets: ['bin/undionly.kpxe', 'bin-arm64-efi/ipxe.efi'], script: '#!ipxe\ncpuid --ext 29\n' },
    path: 'script',
    says: 'arm64 UEFI',
  },
  { wish: 'trust that is no PEM', request: { ...base, options: { https: true, trust: 'hello' } }, path: 'options.trust', says: 'PEM form' },
  {
    wish: 'a private key',
    request: { ...base, options: { https: true, trust: RSA_CA + PRIVATE_KEY } },
    path: 'options.trust',
    says: 'private key',
  },
  {
    wish: 'a key that iPXE cannot check',
    request: { ...base, options: { https: true, trust: ED25519_CA } },
    path: 'options.trust',
    says: 'ed25519',
  },
  {
    wish: 'a broken certificate',
    request: { ...base, options: { https: true, trust: RSA_CA.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA') } },
    path: 'options.trust',
    says: 'certificate 1 cannot be read',
  },
  {
    wish: 'half a PEM block',
    request: { ...base, options: { https: true, trust: RSA_CA.slice(0, 200) } },
    path: 'options.trust',
    says: 'no matching end line',
  },
  {
    wish: 'trust without a use for it',
    request: { ...base, options: { trust: RSA_CA } },
    path: 'options.trust',
    says: 'no effect without https',
  },
  {
    wish: 'an address that would break out of a header',
    request: { ...base, options: { https: true, crossCertificates: 'http://a/"\n#error' } },
    path: 'options.crossCertificates',
    says: 'URL',
  },
  { wish: 'a member that nobody knows', request: { ...base, make: 'clean' }, path: '', says: 'make' },
])
  test(`${wish} is refused, by name`, () => {
    const { error } = IpxeRequest.safeParse(request)
    const issues = (error?.issues ?? []).map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
    expect(issues).toContainEqual({ path, message: expect.stringContaining(says) })
  })
