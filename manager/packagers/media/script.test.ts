import { expect, test } from 'vitest'
import { checkScript } from '../../builders/ipxe/script.ts'
import type { MediaRecipe, MediaTarget } from './recipe.ts'
import { mediaScript } from './script.ts'

const site: MediaTarget = { kind: 'site', id: 's', name: 'shop-7', servers: ['http://192.168.7.2', 'http://10.7.0.2'] }
const url: MediaTarget = { kind: 'url', url: 'https://boot.example/start.ipxe' }
const network = { address: '10.0.0.7/22', gateway: '10.0.0.1', dns: '10.0.0.3' } as MediaRecipe['network']

for (const { what, recipe, target, has, hasNot = [] } of [
  {
    what: 'of a site asks each of its appliance addresses in turn',
    recipe: {},
    target: site,
    has: [
      'dhcp || goto no_address',
      'chain --replace --autofree --timeout 20000 http://192.168.7.2/boot/start.ipxe ||',
      'chain --replace --autofree --timeout 20000 http://10.7.0.2/boot/start.ipxe ||',
      'echo The appliance of site shop-7 does not answer at 192.168.7.2 or 10.7.0.2.',
    ],
    hasNot: ['vcreate', 'set n'],
  },
  {
    what: 'with a fixed address tries it on one card after the other',
    recipe: { network },
    target: url,
    has: [
      'set net${n}/ip 10.0.0.7',
      'set net${n}/netmask 255.255.252.0',
      'set net${n}/gateway 10.0.0.1',
      'set dns 10.0.0.3',
      'goto next_card',
    ],
    hasNot: ['dhcp'],
  },
  {
    what: 'with a VLAN asks DHCP inside it',
    recipe: { vlan: 40 },
    target: url,
    has: ['vcreate --tag 40 net${n}', 'dhcp net${n}-40 || goto next_card', 'No DHCP server answered in VLAN 40 on any network card.'],
  },
  {
    what: 'with both sets the address inside the VLAN',
    recipe: { vlan: 40, network },
    target: url,
    has: ['vcreate --tag 40 net${n}', 'set net${n}-40/ip 10.0.0.7', 'ifopen net${n}-40'],
    hasNot: ['dhcp'],
  },
])
  test(`the script ${what}`, () => {
    const script = mediaScript(recipe, target)
    for (const line of has) expect(script).toContain(line)
    for (const line of hasNot) expect(script).not.toContain(line)
    expect(script.startsWith('#!ipxe\n')).toBe(true)
    expect(script.endsWith('goto start\n')).toBe(true) // it never gives up
    expect(checkScript(script, { prebuilt: 'debian', version: '1.21.1' })).toEqual([])
  })

test("an operator's script is taken as it is, with a line's end", () => {
  expect(mediaScript({ vlan: 5 }, { kind: 'script', text: '#!ipxe\nshell' })).toBe('#!ipxe\nshell\n')
})

test('what people named cannot end a line of the script or begin a comment', () => {
  const script = mediaScript({}, { kind: 'url', url: 'http://a/#x' })
  expect(script).toContain('chain --replace --autofree --timeout 20000 http://a/#x ||')
})
