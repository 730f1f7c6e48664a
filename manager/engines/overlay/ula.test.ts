import { expect, test } from 'vitest'
import { hubAddress, newUlaPrefix, siteNetwork } from './ula.ts'

test.each([
  { random: [0x12, 0x34, 0x56, 0x78, 0x9a], prefix: 'fd12:3456:789a::/48', hub: 'fd12:3456:789a::1', site: 'fd12:3456:789a:1f::1' },
  { random: [0, 0, 0, 0, 0], prefix: 'fd00:0:0::/48', hub: 'fd00:0:0::1', site: 'fd00:0:0:1f::1' },
  { random: [0xff, 0xff, 0xff, 0xff, 0xff], prefix: 'fdff:ffff:ffff::/48', hub: 'fdff:ffff:ffff::1', site: 'fdff:ffff:ffff:1f::1' },
  { random: [1, 0, 2, 3, 0], prefix: 'fd01:2:300::/48', hub: 'fd01:2:300::1', site: 'fd01:2:300:1f::1' },
])('40 random bits $random are the prefix $prefix', ({ random, prefix, hub, site }) => {
  expect(newUlaPrefix(() => Uint8Array.from(random))).toBe(prefix)
  expect(hubAddress(prefix)).toBe(hub)
  expect(siteNetwork(prefix, 31)).toEqual({ address: site, cidr: `${site}/64`, network: `${site.slice(0, -1)}/64` })
})

test('subnet 0 is the hub, and there are 65535 more', () => {
  expect(siteNetwork('fd00:1:2::/48', 65_535).network).toBe('fd00:1:2:ffff::/64')
  for (const subnet of [0, -1, 65_536, 1.5]) expect(() => siteNetwork('fd00:1:2::/48', subnet), String(subnet)).toThrow('1 to 65535')
})

test.each(['fe80::/48', 'fd00:1:2::/64', 'fd00:1:2::', '10.0.0.0/8', ''])('%j is no overlay prefix', (prefix) => {
  expect(() => hubAddress(prefix)).toThrow('ULA /48')
})
