import { expect, test } from 'vitest'
import { grubConfig, refuseSecureBoot } from './grub-config.ts'
import type { MediaTarget } from './recipe.ts'

const site: MediaTarget = { kind: 'site', id: 's', name: 'shop', servers: ['http://192.168.1.2', 'http://192.168.2.2'] }

test("a site's set asks each of its appliances in turn", () => {
  expect([...grubConfig(site).matchAll(/configfile "(\S+?)\?/g)].map(([, path]) => path)).toEqual([
    '(http,192.168.1.2)/boot/grub.cfg',
    '(http,192.168.2.2)/boot/grub.cfg',
  ])
})

for (const { recipe, target, refused } of [
  { recipe: 'of a site', target: site, refused: [] },
  { recipe: 'of a GRUB configuration by URL', target: { kind: 'url', url: 'http://10.0.0.1/a.cfg' } as const, refused: [] },
  { recipe: 'of an iPXE script by URL', target: { kind: 'url', url: 'http://10.0.0.1/a.ipxe' } as const, refused: ['url'] },
  { recipe: 'of an https URL', target: { kind: 'url', url: 'https://10.0.0.1/a.cfg' } as const, refused: ['url'] },
  { recipe: 'of a script with a menu', target: { kind: 'script', text: '#!ipxe\nmenu\n' } as const, refused: ['script'] },
])
  test(`a recipe ${recipe}: ${refused.length === 0 ? 'can be made' : `refused for ${refused}`}`, () => {
    expect(refuseSecureBoot({ outputs: ['secure-boot'] }, target).flatMap(({ field }) => field)).toEqual(refused)
    expect(refuseSecureBoot({ outputs: ['iso'] }, target)).toEqual([])
  })

test('a fixed address and a VLAN are refused, because the firmware loads first', () => {
  const recipe = { outputs: ['secure-boot' as const], vlan: 5, network: { address: '10.0.0.2/24' } }
  expect(refuseSecureBoot(recipe, site).map(({ field }) => field)).toEqual([['network'], ['vlan']])
})
