import { steppedClock } from '@bridgehead/shared/clock.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { SiteState } from '@bridgehead/shared/model/state.ts'
import { expect, test } from 'vitest'
import { followNames, type SiteName } from './names.ts'
import { stateOf } from './uplink/samples.ts'

const lan = { name: 'lan', subnet: '10.0.0.0/24', address: '10.0.0.1', mode: 'serve' }
const state = SiteState.parse(stateOf({ lans: [lan] }))
const ip = (last: number) => `10.0.0.${last}` as Ipv4

function follow() {
  const clock = steppedClock()
  const hosts: SiteName[] = [{ name: 'db-1', ip: ip(5) }]
  const leases: { ip: Ipv4; hostname: string | undefined; state: string }[] = []
  const shown: string[][] = []
  let tell = () => {}
  const names = followNames({
    clock,
    outbox: {
      onAdd(listener) {
        tell = listener
      },
    },
    hosts: () => hosts,
    leases: () => leases,
    apply: (_, known) => void shown.push(known.map((one) => `${one.name}${one.lease ? '*' : ''}`)),
  })
  return { clock, hosts, leases, shown, names, tell: () => tell() }
}

test('a new state is shown at once, with leases that have a name', () => {
  const { names, leases, shown } = follow()
  leases.push({ ip: ip(9), hostname: 'laptop', state: 'bound' }, { ip: ip(10), hostname: undefined, state: 'bound' })
  leases.push({ ip: ip(11), hostname: 'offered-only', state: 'offered' })
  names.apply(state)
  expect(shown).toEqual([['db-1', 'laptop*']])
})

test('many changes at once are one, and no change is none', () => {
  const { names, hosts, shown, tell, clock } = follow()
  names.apply(state)
  hosts.push({ name: 'db-2', ip: ip(6) })
  tell()
  tell()
  clock.advance(250)
  tell()
  clock.advance(250)
  expect(shown).toEqual([['db-1'], ['db-1', 'db-2']])
})

test('nothing is shown before there is a state', () => {
  const { shown, tell, clock } = follow()
  tell()
  clock.advance(1_000)
  expect(shown).toEqual([])
})
