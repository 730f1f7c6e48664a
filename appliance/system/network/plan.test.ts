import { Cidr4, Ipv4 } from '@bridgehead/shared/model/address.ts'
import type { ApplianceConfig } from '@bridgehead/shared/model/enrolment.ts'
import { describe, expect, test } from 'vitest'
import { type NetworkInput, type NetworkPlan, type Nic, PUBLIC_DNS, planNetwork, RESCUE_ADDRESS, type UplinkLease } from './plan.ts'
import { type Actual, type ActualRoute, addressSteps, filterRules, lanLines, routeSteps } from './steps.ts'
import { createNewsReader } from './udhcpc.ts'

const ip = (text: string) => Ipv4.parse(text)
const nic = (name: string, carrier = true): Nic => ({ name, mac: '52:54:00:00:00:01', wifi: name.startsWith('wl'), carrier })
const lease = (address: string, more: Partial<UplinkLease> = {}): UplinkLease => ({
  ip: ip(address),
  prefix: 24,
  router: ip(address.replace(/\d+$/, '1')),
  routes: [],
  dns: [],
  ntp: [],
  until: 1e12,
  ...more,
})
const lan = (address: string, subnet = address.replace(/\d+$/, '0/24')) => ({
  name: 'main',
  subnet: Cidr4.parse(subnet),
  address: ip(address),
})
const plan = (more: Partial<Omit<NetworkInput, 'leases'>> & { leases?: Record<string, UplinkLease> }) =>
  planNetwork({ config: {}, nics: [nic('eth0')], lans: [], ...more, leases: new Map(Object.entries(more.leases ?? {})) })
const short = (made: NetworkPlan) => made.addresses.map(({ device, address }) => `${device} ${address}`)
const uplink = (settings: ApplianceConfig['uplink']): ApplianceConfig => ({ uplink: settings })

describe('one card', () => {
  for (const row of [
    { box: 'nothing yet', given: {}, addresses: [`eth0 ${RESCUE_ADDRESS}`], dhcp: ['eth0'] },
    { box: 'a lease', given: { leases: { eth0: lease('10.0.0.5') } }, addresses: ['eth0 10.0.0.5/24'], dhcp: ['eth0'] },
    {
      box: "a lease and a LAN inside the uplink's network",
      given: { leases: { eth0: lease('10.0.0.5') }, lans: [lan('10.0.0.9')] },
      addresses: ['eth0 10.0.0.5/24', 'eth0 10.0.0.9/24'],
      dhcp: ['eth0'],
    },
    {
      box: 'a LAN address that DHCP gave too',
      given: { leases: { eth0: lease('10.0.0.5') }, lans: [lan('10.0.0.5')] },
      addresses: ['eth0 10.0.0.5/24'],
      dhcp: ['eth0'],
    },
    {
      box: 'a LAN of its own',
      given: { leases: { eth0: lease('10.0.0.5') }, lans: [lan('192.168.7.1')] },
      addresses: ['eth0 10.0.0.5/24', 'eth0 192.168.7.1/24'],
      dhcp: ['eth0'],
    },
    { box: 'a LAN and no answer from DHCP', given: { lans: [lan('192.168.7.1')] }, addresses: ['eth0 192.168.7.1/24'], dhcp: ['eth0'] },
    {
      box: 'a fixed address',
      given: { config: uplink({ address: '10.0.0.7/24', gateway: ip('10.0.0.1') }) },
      addresses: ['eth0 10.0.0.7/24'],
      dhcp: [],
    },
    {
      box: 'a VLAN for the uplink',
      given: { config: uplink({ vlan: 7 }), leases: { 'eth0.7': lease('10.7.0.5') }, lans: [lan('192.168.7.1')] },
      addresses: ['eth0.7 10.7.0.5/24', 'eth0 192.168.7.1/24'],
      dhcp: ['eth0.7'],
    },
  ])
    test(`with ${row.box}`, () => {
      const made = plan(row.given)
      expect(short(made)).toEqual(row.addresses)
      expect(made.dhcp).toEqual(row.dhcp)
    })

  test('sends from the address that its uplink has', () => {
    const made = plan({ leases: { eth0: lease('10.0.0.5') }, lans: [lan('10.0.0.9')] })
    expect(made.routes).toEqual([{ to: 'default', via: '10.0.0.1', device: 'eth0', source: '10.0.0.5', onlink: false }])
    expect(made.closed).toBeUndefined()
  })
  test('translates nothing, and says so', () => {
    const made = plan({ config: { lan: { nat: true } }, leases: { eth0: lease('10.0.0.5') }, lans: [lan('192.168.7.1')] })
    expect(made.nat).toEqual([])
    expect(made.problems.join()).toMatch(/lan\.nat needs a LAN on another interface/)
  })
})

describe('two cards', () => {
  const nics = [nic('eth0'), nic('eth1')]
  const lans = [lan('192.168.7.1')]
  for (const row of [
    { box: 'that know nothing ask on both', given: {}, dhcp: ['eth0', 'eth1'], addresses: [`eth0 ${RESCUE_ADDRESS}`] },
    {
      box: 'of which the second got a lease, leave the LAN to the first',
      given: { leases: { eth1: lease('10.0.0.5') }, lans },
      dhcp: ['eth1'],
      addresses: ['eth1 10.0.0.5/24', 'eth0 192.168.7.1/24'],
    },
    {
      box: 'that both got a lease, keep the uplink that they had',
      given: { leases: { eth0: lease('192.168.7.77'), eth1: lease('10.0.0.5') }, lans, preferred: 'eth1' },
      dhcp: ['eth1'],
      addresses: ['eth1 10.0.0.5/24', 'eth0 192.168.7.1/24'],
    },
    {
      box: 'whose uplink is away, keep the LAN where it was',
      given: { lans, preferred: 'eth0' },
      dhcp: ['eth0', 'eth1'],
      addresses: ['eth1 192.168.7.1/24'],
    },
    {
      box: 'of which a person named the LAN, ask on the other alone',
      given: { config: { lan: { interface: 'eth0' } }, lans },
      dhcp: ['eth1'],
      addresses: ['eth0 192.168.7.1/24'],
    },
    {
      box: 'of which a person named the uplink, ask on that alone',
      given: { config: uplink({ interface: 'eth1' }), leases: { eth1: lease('10.0.0.5') }, lans },
      dhcp: ['eth1'],
      addresses: ['eth1 10.0.0.5/24', 'eth0 192.168.7.1/24'],
    },
    {
      box: "and a LAN inside the uplink's network use one",
      given: { leases: { eth0: lease('192.168.7.5') }, lans },
      dhcp: ['eth0'],
      addresses: ['eth0 192.168.7.5/24', 'eth0 192.168.7.1/24'],
    },
  ])
    test(row.box, () => {
      const made = plan({ nics, ...row.given })
      expect(made.dhcp).toEqual(row.dhcp)
      expect(short(made)).toEqual(row.addresses)
    })

  test('close the uplink, and translate when a person wants it', () => {
    const given = { nics, lans, leases: { eth0: lease('10.0.0.5') } }
    expect(plan(given)).toMatchObject({ closed: 'eth0', nat: [] })
    const made = plan({ ...given, config: { lan: { nat: true } } })
    expect(made).toMatchObject({ closed: 'eth0', nat: ['192.168.7.0/24'] })
    expect(filterRules(made)).toMatch(/ip saddr \{ 192\.168\.7\.0\/24 \} oifname "eth0" masquerade/)
    expect(filterRules(plan(given))).not.toMatch(/masquerade/)
    expect(filterRules(plan({}))).toBe('table inet bridgehead_network\ndelete table inet bridgehead_network\n')
  })
  test('tell of one network on both', () => {
    const made = plan({ nics, config: { lan: { interface: 'eth1' } }, leases: { eth0: lease('192.168.7.5') }, lans })
    expect(made.problems.join()).toMatch(/lan "main" \(192\.168\.7\.0\/24\) on eth1 is also the uplink's network on eth0/)
  })
})

describe('what people are told', () => {
  for (const row of [
    { trouble: 'a card that is not there', given: { config: uplink({ interface: 'eth9' }) }, says: /there is no eth9; found: eth0/ },
    {
      trouble: 'a LAN card that is not there',
      given: { config: { lan: { interface: 'eth9' } } },
      says: /lan\.interface: there is no eth9/,
    },
    { trouble: 'no card', given: { nics: [] }, says: /no network interface was found/ },
    { trouble: 'no cable', given: { nics: [nic('eth0', false)] }, says: /no cable: eth0/ },
    { trouble: 'no radio', given: { config: uplink({ wifi: { ssid: 'x', psk: '12345678' } }) }, says: /no Wi-Fi that works; found: eth0/ },
  ])
    test(row.trouble, () => expect(plan(row.given).problems.join()).toMatch(row.says))
})

test('Wi-Fi is the uplink, the cable the LAN', () => {
  const config = uplink({ wifi: { ssid: 'office', psk: 'correct horse' } })
  const made = plan({ config, nics: [nic('eth0'), nic('wlan0')], leases: { wlan0: lease('10.0.0.5') }, lans: [lan('192.168.7.1')] })
  expect(made).toMatchObject({ wifi: { device: 'wlan0', ssid: 'office' }, dhcp: ['wlan0'], up: ['eth0', 'wlan0'], closed: 'wlan0' })
  expect(short(made)).toEqual(['wlan0 10.0.0.5/24', 'eth0 192.168.7.1/24'])
})
test('a radio that nobody set stays off', () =>
  expect(plan({ nics: [nic('eth0'), nic('wlan0')] })).toMatchObject({ up: ['eth0'], dhcp: ['eth0'] }))

for (const row of [
  { servers: "a person's", settings: { dns: ['10.0.0.53'] }, given: ['10.0.0.1'], dns: ['10.0.0.53'] },
  { servers: "DHCP's", settings: {}, given: ['10.0.0.1'], dns: ['10.0.0.1'] },
  { servers: 'public ones', settings: {}, given: [], dns: PUBLIC_DNS },
])
  test(`name servers are ${row.servers}`, () =>
    expect(plan({ config: uplink(row.settings), leases: { eth0: lease('10.0.0.5', { dns: row.given }) } }).dns).toEqual(row.dns))

test('classless routes replace the router; a hop outside the network is on the link', () => {
  const routes = [
    { to: '10.9.0.0/16', via: ip('10.0.0.2') },
    { to: '0.0.0.0/0', via: ip('172.16.0.1') },
  ]
  const made = plan({ leases: { eth0: lease('10.0.0.5', { routes }) } })
  expect(made.routes.map(({ to, via, onlink }) => ({ to, via, onlink }))).toEqual([
    { to: '10.9.0.0/16', via: '10.0.0.2', onlink: false },
    { to: 'default', via: '172.16.0.1', onlink: true },
  ])
})

describe('steps', () => {
  const made = plan({ leases: { eth0: lease('10.0.0.5') }, lans: [lan('192.168.7.1')] })
  const done: Actual = { links: [{ name: 'eth0', up: true, vlan: false }], addresses: made.addresses }
  const route: ActualRoute = { to: 'default', via: '10.0.0.1', device: 'eth0', source: '10.0.0.5' }
  const steps = (actual: Partial<Actual>, wanted = made) => addressSteps(wanted, { ...done, ...actual }).map((step) => step.join(' '))
  const routes = (...actual: ActualRoute[]) => routeSteps(made, actual).map((step) => step.join(' '))
  test('none when all is as it shall be', () => {
    expect(steps({})).toEqual([])
    expect(routes(route)).toEqual([])
  })
  test('a card is switched on and gets its addresses', () =>
    expect(steps({ links: [{ name: 'eth0', up: false, vlan: false }], addresses: [] })).toEqual([
      'link set dev eth0 up',
      'address add 10.0.0.5/24 brd + dev eth0',
      'address add 192.168.7.1/24 brd + dev eth0',
    ]))
  test("an old address goes; others' devices are left alone", () => {
    const more = [
      { device: 'eth0', address: '10.0.0.4/24' },
      { device: 'bh-uplink', address: '10.8.0.1/24' },
    ]
    expect(steps({ addresses: [...done.addresses, ...more] })).toEqual(['address delete 10.0.0.4/24 dev eth0'])
  })
  test('a changed router replaces the route', () =>
    expect(routes({ ...route, via: '10.0.0.254' })).toEqual([
      'route delete default via 10.0.0.254 dev eth0 proto 66',
      'route replace default via 10.0.0.1 dev eth0 src 10.0.0.5 proto 66',
    ]))
  test('a VLAN comes and goes', () => {
    const tagged = plan({ config: uplink({ vlan: 7 }) })
    expect(steps({ addresses: tagged.addresses }, tagged)).toEqual([
      'link add link eth0 name eth0.7 type vlan id 7',
      'link set dev eth0.7 up',
    ])
    expect(steps({ links: [...done.links, { name: 'eth0.7', up: true, vlan: true }] })).toEqual(['link delete dev eth0.7'])
  })
})

describe('what the next start tells ip before the daemon runs', () => {
  for (const row of [
    {
      box: 'with one card, and a LAN beside the uplink',
      given: { leases: { eth0: lease('10.0.0.5') }, lans: [lan('192.168.7.1')] },
      lines: 'link set dev eth0 up\naddress add 192.168.7.1/24 brd + dev eth0\n',
    },
    {
      box: 'whose LAN lies in the uplink’s network, where the uplink’s address comes first',
      given: { leases: { eth0: lease('10.0.0.5') }, lans: [lan('10.0.0.2')] },
      lines: '',
    },
    { box: 'without LANs, at its rescue address', given: {}, lines: '' },
  ])
    test(`a box ${row.box}`, () => expect(lanLines(plan(row.given))).toBe(row.lines))
})

describe("udhcpc's words", () => {
  const hear = (text: string) => {
    const read = createNewsReader(() => 1000)
    return text.split('\n').flatMap((line) => read(line) ?? [])
  }
  test('a lease', () =>
    expect(
      hear(
        'ip=10.0.0.5\nmask=16\nrouter=10.0.0.1\ndns=10.0.0.1 10.0.0.2\nntpsrv=10.0.0.3\nlease=600\nstaticroutes=10.9.0.0/16 10.0.0.2\naction=bound',
      ),
    ).toEqual([
      {
        kind: 'lease',
        lease: {
          ip: '10.0.0.5',
          prefix: 16,
          router: '10.0.0.1',
          routes: [{ to: '10.9.0.0/16', via: '10.0.0.2' }],
          dns: ['10.0.0.1', '10.0.0.2'],
          ntp: ['10.0.0.3'],
          until: 601_000,
        },
      },
    ]))
  test('the end of a lease, and silence', () =>
    expect(hear('action=deconfig\naction=leasefail').map((one) => one.kind)).toEqual(['lost', 'unanswered']))
  for (const bad of ['ip=\nmask=\naction=bound', 'ip=$(reboot)\naction=bound', 'action=', 'noise', 'ip=0.0.0.0\naction=renew'])
    test(`nothing in ${JSON.stringify(bad)}`, () => expect(hear(bad)).toEqual([]))
  test('what is no address is left out', () =>
    expect(hear('ip=10.0.0.5\nmask=999\nrouter=evil\ndns=a b 1.2.3.4\nlease=-5\nstaticroutes=x y z\naction=bound')).toMatchObject([
      { lease: { prefix: 24, router: undefined, routes: [], dns: ['1.2.3.4'], until: 3_601_000 } },
    ]))
})
