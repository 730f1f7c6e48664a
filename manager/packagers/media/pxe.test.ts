import { expect, test } from 'vitest'
import type { IpxeTarget } from '../../builders/ipxe/request.ts'
import { archMap } from './pxe.ts'
import { pxeReadme } from './pxe-readme.ts'

const all = new Map<IpxeTarget, unknown>([
  ['bin/undionly.kpxe', 1],
  ['bin-x86_64-efi/snponly.efi', 1],
  ['bin-x86_64-efi/ipxe.efi', 1],
  ['bin-arm64-efi/ipxe.efi', 1],
])
const target = { kind: 'url', url: 'http://a/b' } as const

test('option 93 leads to the smallest loader that is there', () => {
  const map = archMap(all)
  expect(Object.fromEntries(Object.entries(map).map(([code, { file }]) => [code, file]))).toEqual({
    0: 'undionly.kpxe',
    7: 'snponly-x86_64.efi',
    9: 'snponly-x86_64.efi',
    16: 'snponly-x86_64.efi',
    11: 'ipxe-arm64.efi',
    19: 'ipxe-arm64.efi',
  })
  expect(Object.keys(archMap(new Map([['bin/undionly.kpxe' as const, 1]])))).toEqual(['0'])
})

test('the README tells three DHCP servers each file, and keeps iPXE from loading itself in a circle', () => {
  const text = pxeReadme({ name: 'x', map: archMap(all), embedded: false, target })
  expect(text).toContain('dhcp-boot=tag:ipxe,autoexec.ipxe')
  expect(text).toContain('dhcp-boot=tag:arch0,tag:!ipxe,undionly.kpxe')
  expect(text).toContain('dhcp-option-force=tag:arch16,60,HTTPClient')
  expect(text).toContain('if exists ipxe-encap { filename "autoexec.ipxe"; }\nelse if option client-architecture = 00:00')
  const kea = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '')
  expect(kea['client-classes'].map((one: { name: string }) => one.name)).toEqual([
    'ipxe',
    'arch0',
    'arch7',
    'arch9',
    'arch11',
    'arch16',
    'arch19',
  ])
})

test('with the script inside the loaders nothing but the loader is asked of DHCP', () => {
  const text = pxeReadme({ name: 'x', map: archMap(all), embedded: true, target })
  expect(text).not.toContain('ipxe-encap')
  expect(text).not.toContain('tag:!ipxe')
  expect(text).not.toContain('autoexec')
})
