import { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { expect, test } from 'vitest'
import { planNetwork } from './network/plan.ts'
import { type BoxView, makeScreen, updateLines } from './screen.ts'

const nics = [{ name: 'eth0', mac: '52:54:00:00:00:01', wifi: false, carrier: true }]
const lease = { ip: Ipv4.parse('10.0.0.5'), prefix: 24, routes: [], dns: [], ntp: [], until: 1e12 }
const slot = { device: '/dev/x', bytes: 1 }

function view(more: Partial<BoxView> = {}): BoxView {
  return {
    boot: {
      ...{ board: 'x86_64', slot: 'A', version: '0.1.0', disk: '/dev/sda', boot: '/dev/sda2', config: '/boot/bridgehead.json' },
      ...{ slots: { A: slot, B: slot }, env: { path: '/boot/grub/grubenv' }, data: { state: 'ok' }, consoles: [], tried: [] },
    },
    config: { manager: 'https://m.example:8443/' },
    problems: [],
    place: { directory: '/data', state: 'disk', mayReturn: false },
    network: {
      nics,
      plan: planNetwork({ config: {}, nics, leases: new Map([['eth0', lease]]), lans: [] }),
      unanswered: [],
      failure: undefined,
    },
    enrol: { kind: 'asking' },
    state: undefined,
    siteName: undefined,
    health: { ok: true, services: {}, uplink: 'none' },
    data: { state: 'ok' },
    page: { port: 8443, credential: 'abcd-efgh-jkmn', fingerprint: 'ab'.repeat(32) },
    doing: [],
    troubles: [],
    ...more,
  }
}

test('a code to type has its address at the manager', () => {
  const { claim, page, uplink } = makeScreen(view({ enrol: { kind: 'claim', code: 'ABCDEFGH' } }))
  expect(claim).toEqual({ code: 'ABCDEFGH', url: 'https://m.example:8443/claim/ABCDEFGH' })
  expect(page?.urls).toEqual(['https://10.0.0.5:8443'])
  expect(uplink).toBe('waits for somebody to type the code')
})

for (const row of [
  {
    box: 'that is connected',
    given: { enrol: { kind: 'member' }, health: { ok: true, services: {}, uplink: 'ok' } },
    uplink: /^connected$/,
  },
  {
    box: 'whose uplink is down',
    given: { enrol: { kind: 'member' }, health: { ok: true, services: {}, uplink: 'down' } },
    uplink: /the site works on/,
  },
  { box: 'whose start is not over', given: { enrol: { kind: 'starting' }, config: {} }, uplink: /^starting$/ },
  { box: 'without a manager', given: { enrol: { kind: 'idle' }, config: {} }, uplink: /names no manager/ },
  { box: 'of which the token was used', given: { enrol: { kind: 'pending', code: 'blue-cat' } }, uplink: /approve this one .* blue-cat/ },
  { box: 'that is refused', given: { enrol: { kind: 'refused', why: 'HTTP 403' } }, uplink: /refuses: HTTP 403/ },
] satisfies { box: string; given: Partial<BoxView>; uplink: RegExp }[])
  test(`a box ${row.box}`, () => expect(makeScreen(view(row.given)).uplink).toMatch(row.uplink))

for (const row of [
  {
    trouble: 'a broken file',
    given: { problems: [{ line: 3, field: 'name', message: 'expected a text' }] },
    says: /bridgehead\.json: line 3, name: expected a text/,
  },
  {
    trouble: 'a full disk',
    given: { place: { directory: '/run', state: 'memory', why: 'the data partition is full', mayReturn: true } },
    says: /full; the box works from memory[\s\S]*What to do: assign fewer profiles/,
  },
  {
    trouble: 'a disk that is about to be full',
    given: { data: { state: 'full', why: 'the data partition is full: 3 of 598 MiB are free' } },
    says: /full: 3 of 598 MiB are free; all is served, but soon nothing new can be kept\nWhat to do: .* larger card/,
  },
  {
    trouble: 'a data partition that was mended with losses',
    given: { boot: { ...view().boot, data: { state: 'ok', why: 'the data partition was damaged, and what it held is lost' } } },
    says: /^the data partition was damaged, and what it held is lost$/,
  },
  {
    trouble: 'a broken disk',
    given: { place: { directory: '/run', state: 'memory', why: 'the data partition fails (I/O error)', mayReturn: true } },
    says: /works from memory[\s\S]*What to do: change the card/,
  },
  {
    trouble: 'a slot that was passed over',
    given: { boot: { ...view().boot, slot: 'B', tried: ['A'] } },
    says: /slot A could not be started; slot B took over/,
  },
  {
    trouble: 'no DHCP server',
    given: {
      network: { nics, plan: planNetwork({ config: {}, nics, leases: new Map(), lans: [] }), unanswered: ['eth0'], failure: undefined },
    },
    says: /nobody answers DHCP on eth0/,
  },
  {
    trouble: 'a failing service',
    given: { enrol: { kind: 'member' }, health: { ok: false, services: { dns: 'silent' }, uplink: 'ok' } },
    says: /dns: silent/,
  },
] satisfies { trouble: string; given: Partial<BoxView>; says: RegExp }[])
  test(`${row.trouble} is said`, () => expect(makeScreen(view(row.given)).troubles.join('\n')).toMatch(row.says))

test('a slot that cannot be started is trouble, but not while an update fills it', () => {
  const running = { slot: 'A', version: '0.1.0' } as const
  const other = { slot: 'B', state: 'bad', why: 'it held a part of 0.1.1' } as const
  const repaired = 'slot B cannot be started: it held a part of 0.1.1; it is being repaired'
  expect(updateLines({ running, doing: 'copy', other }).troubles).toEqual([repaired])
  const release = { id: 'r', version: '0.1.1', phase: 'fetching', progress: { bytes: 50, total: 200, fetched: 50 } }
  expect(updateLines({ running, doing: 'fetch', other, release })).toEqual({ doing: ['update to 0.1.1, fetching 25 %'], troubles: [] })
})
