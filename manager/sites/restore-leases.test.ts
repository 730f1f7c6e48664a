import { Lan } from '@bridgehead/shared/model/state.ts'
import { expect, test } from 'vitest'
import { livingLeases, type ToldLease } from './restore-leases.ts'

const NOW = 1_000_000
const LAN = Lan.parse({ name: 'lan', subnet: '192.168.1.0/24', address: '192.168.1.2', mode: 'serve', leaseSeconds: 3600 })
const told = (change: Partial<ToldLease> = {}): ToldLease => ({
  lan: 'lan',
  ip: '192.168.1.50',
  mac: '52:54:00:00:00:01',
  hostname: null,
  until: NOW + 1000,
  ...change,
})

for (const { what, lease, until } of [
  { what: 'that ends soon counts as renewed now', lease: told(), until: NOW + 3_600_000 },
  { what: 'that ended without a word may have been renewed', lease: told({ until: NOW - 1 }), until: NOW + 3_600_000 },
  { what: 'that lasts longer keeps its end', lease: told({ until: NOW + 9_000_000 }), until: NOW + 9_000_000 },
  { what: 'of a LAN that is gone is left out', lease: told({ lan: 'old' }), until: undefined },
  { what: 'outside its LAN, which was changed meanwhile, is left out', lease: told({ ip: '10.0.0.1' }), until: undefined },
  { what: 'that cannot be read is left out', lease: told({ mac: 'nonsense' }), until: undefined },
])
  test(`a lease ${what}`, () =>
    expect(livingLeases([lease], [LAN], NOW).map((one) => one.until)).toEqual(until === undefined ? [] : [until]))
