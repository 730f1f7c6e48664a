import { expect, test } from 'vitest'
import { foreignServers } from './knowledge.ts'
import { type SiteKnowledge, type SiteService, siteServices } from './services.ts'

const NOW = 1_795_000_000_000
const MINUTE = 60_000
const health = { ok: true, services: { store: 'ok', dhcp: 'ok', dns: 'ok', tftp: 'ok', http: 'ok' }, uplink: 'ok' as const }
const fine: SiteKnowledge = {
  now: NOW,
  lans: [{ name: 'main', mode: 'serve' }],
  dns: { zone: 'internal', forwarders: ['9.9.9.9'] },
  enrolled: true,
  online: { at: NOW - 5_000, revision: 3, outbox: 0, health },
  state: { revision: 3, at: NOW - 60 * MINUTE },
  foreign: [],
  leases: 12,
}
const other = { lan: 'main', server: '192.168.1.1', blocked: false, lastSeen: NOW - 10 * MINUTE }
const online = (change: Partial<Exclude<SiteKnowledge['online'], 'unknown' | undefined>>) => ({
  online: { at: NOW - 5_000, revision: 3, outbox: 0, health, ...change },
})
const sick = (services: Record<string, string>) =>
  online({ health: { ...health, ok: false, services: { ...health.services, ...services } } })
const proxy = { lans: [{ name: 'main', mode: 'proxy' as const }] }
const observe = { lans: [{ name: 'main', mode: 'observe' as const }] }

for (const { site, change, service, state, says } of [
  {
    site: 'without a box',
    change: { enrolled: false, online: undefined },
    service: 'dhcp',
    state: 'off',
    says: 'No box serves this site yet: flash',
  },
  {
    site: 'without a box',
    change: { enrolled: false, online: undefined },
    service: 'uplink',
    state: 'off',
    says: 'No box has enrolled yet.',
  },
  {
    site: 'whose box is away',
    change: { online: undefined, lastHeard: NOW - 180 * MINUTE },
    service: 'uplink',
    state: 'attention',
    says: 'its last fact came 3 h ago',
  },
  {
    site: 'whose box has never spoken',
    change: { online: undefined },
    service: 'uplink',
    state: 'attention',
    says: 'it has told nothing yet',
  },
  {
    site: 'whose box is away',
    change: { online: undefined, applied: { revision: 2, at: 1 } },
    service: 'dns',
    state: 'unknown',
    says: 'goes on by itself with revision 2',
  },
  {
    site: 'that nobody can ask for',
    change: { online: 'unknown' as const },
    service: 'pxe',
    state: 'unknown',
    says: 'cannot reach its Redis',
  },
  {
    site: 'that nobody can ask for',
    change: { online: 'unknown' as const },
    service: 'uplink',
    state: 'unknown',
    says: 'cannot reach its Redis',
  },
  {
    site: 'with an old box',
    change: online({ health: undefined }),
    service: 'dhcp',
    state: 'unknown',
    says: 'makes no self-tests; update it',
  },
  {
    site: 'whose box just started',
    change: online({ health: { ...health, services: { start: 'not over' } } }),
    service: 'dns',
    state: 'unknown',
    says: 'first self-test of the box is not over',
  },
  { site: 'that serves', change: {}, service: 'dhcp', state: 'ok', says: 'Gives addresses on lan "main". 12 leases.' },
  { site: 'with one lease', change: { leases: 1 }, service: 'dhcp', state: 'ok', says: ' 1 lease.' },
  {
    site: 'in proxy mode',
    change: { ...proxy, foreign: [other] },
    service: 'dhcp',
    state: 'ok',
    says: 'Answers network boot on lan "main" beside 192.168.1.1.',
  },
  { site: 'in proxy mode beside nobody', change: proxy, service: 'dhcp', state: 'ok', says: 'beside its own DHCP server, not heard yet' },
  {
    site: 'that observes',
    change: { ...observe, foreign: [other] },
    service: 'dhcp',
    state: 'off',
    says: 'Only listens on lan "main", where 192.168.1.1 gives addresses.',
  },
  { site: 'that observes', change: observe, service: 'pxe', state: 'off', says: 'set one to proxy or serve' },
  { site: 'without a LAN', change: { lans: [] }, service: 'dhcp', state: 'off', says: 'The site has no LAN yet: add one.' },
  { site: 'without a LAN', change: { lans: [] }, service: 'dns', state: 'off', says: 'The site has no LAN yet: add one.' },
  {
    site: 'where another server answers',
    change: { foreign: [{ ...other, blocked: true }] },
    service: 'dhcp',
    state: 'attention',
    says: '192.168.1.1 answers on lan "main" too, so the box stays silent there: set that LAN to proxy',
  },
  {
    site: 'where another server was heard yesterday',
    change: { foreign: [{ ...other, lastSeen: NOW - 1_500 * MINUTE }] },
    service: 'dhcp',
    state: 'ok',
    says: 'Gives addresses',
  },
  {
    site: 'whose pool was full',
    change: { poolFull: { lan: 'main', mac: '52:54:00:00:00:01', at: NOW - 4 * MINUTE } },
    service: 'dhcp',
    state: 'attention',
    says: 'no free address for 52:54:00:00:00:01 4 min ago: widen its ranges',
  },
  {
    site: 'whose pool was full long ago',
    change: { poolFull: { lan: 'main', mac: '52:54:00:00:00:01', at: NOW - 400 * MINUTE } },
    service: 'dhcp',
    state: 'ok',
    says: 'Gives',
  },
  {
    site: 'whose box cannot listen',
    change: sick({ dhcp: 'cannot listen on 10.0.0.1:67' }),
    service: 'dhcp',
    state: 'attention',
    says: 'DHCP cannot listen on 10.0.0.1:67.',
  },
  {
    site: 'whose disk is full',
    change: sick({ store: 'disk is full' }),
    service: 'dhcp',
    state: 'attention',
    says: 'What must be kept is not: disk is full.',
  },
  {
    site: 'whose TFTP is silent',
    change: sick({ tftp: 'is open and does not answer' }),
    service: 'pxe',
    state: 'attention',
    says: 'TFTP is open and does not answer.',
  },
  { site: 'that serves', change: {}, service: 'dns', state: 'ok', says: 'Answers for internal; asks 9.9.9.9 for the rest.' },
  {
    site: 'without forwarders',
    change: { dns: { zone: 'shop', forwarders: [] } },
    service: 'dns',
    state: 'ok',
    says: "asks the box's own name servers",
  },
  { site: 'that serves', change: {}, service: 'pxe', state: 'ok', says: 'TFTP and HTTP' },
  {
    site: 'that lacks a file',
    change: { artifactRefused: { name: 'vmlinuz', why: 'the bucket has lost it', at: NOW } },
    service: 'pxe',
    state: 'attention',
    says: 'could not fetch vmlinuz: the bucket has lost it.',
  },
  { site: 'where nothing ran', change: {}, service: 'ssh', state: 'unknown', says: 'No script has run' },
  {
    site: 'where a script ran',
    change: { lastRun: { exitCode: 0, at: NOW - 5 * MINUTE } },
    service: 'ssh',
    state: 'ok',
    says: 'ran 5 min ago and ended with 0.',
  },
  {
    site: 'whose host was not reached',
    change: { lastRun: { exitCode: null, error: 'no route to host', at: NOW } },
    service: 'ssh',
    state: 'attention',
    says: 'failed just now: no route to host.',
  },
  { site: 'that is up to date', change: {}, service: 'uplink', state: 'ok', says: 'In touch; revision 3 is applied.' },
  {
    site: 'that was just changed',
    change: { state: { revision: 4, at: NOW - 2_000 } },
    service: 'uplink',
    state: 'ok',
    says: 'revision 4 is on its way',
  },
  {
    site: 'that is late',
    change: { state: { revision: 4, at: NOW - 4 * MINUTE } },
    service: 'uplink',
    state: 'attention',
    says: 'at revision 3; revision 4 was made 4 min ago',
  },
  {
    site: 'that refused its state',
    change: { refused: { revision: 3, why: 'lan main has no address', at: NOW } },
    service: 'uplink',
    state: 'attention',
    says: 'refused revision 3: lan main',
  },
  {
    site: 'whose refused state was replaced',
    change: { refused: { revision: 2, why: 'old', at: NOW } },
    service: 'uplink',
    state: 'ok',
    says: 'In touch',
  },
  { site: 'with much to tell', change: online({ outbox: 9_000 }), service: 'uplink', state: 'attention', says: '9000 facts still wait' },
  { site: 'of any kind', change: {}, service: 'network', state: 'off', says: 'has none yet' },
  { site: 'of any kind', change: {}, service: 'workload', state: 'off', says: 'has none yet' },
] as const satisfies readonly {
  site: string
  change: Partial<SiteKnowledge>
  service: SiteService['service']
  state: SiteService['state']
  says: string
}[])
  test(`${service} of a site ${site} is ${state}: ${says}`, () => {
    const found = siteServices({ ...fine, ...change }).find((one) => one.service === service)
    expect([found?.state, found?.sentence]).toEqual([state, expect.stringContaining(says)])
  })

test('each server is shown once per LAN, with the newest word, for a week', () => {
  const server = '192.168.1.1' as never
  const told = [
    { lan: 'main', server, blocked: false, at: NOW - 90 * MINUTE },
    { lan: 'main', server, blocked: true, at: NOW - 30 * MINUTE },
    { lan: 'shop', server, blocked: false, at: NOW - 10 * MINUTE },
    { lan: 'old', server, blocked: false, at: NOW - 8 * 1_440 * MINUTE },
  ]
  expect(foreignServers(told, NOW)).toEqual([
    { lan: 'shop', server, blocked: false, lastSeen: NOW - 10 * MINUTE },
    { lan: 'main', server, blocked: true, lastSeen: NOW - 30 * MINUTE },
  ])
})
