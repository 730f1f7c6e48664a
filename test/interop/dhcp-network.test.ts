// The real server process beside another server, and under kill -9.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openStore } from '@bridgehead/appliance/store/store.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../bench/harness.ts'
import { createDhcpLab, type DhcpLab, type Machine, startDnsmasq, startOurs } from './dhcp-lab.ts'

const RANGE = '10.77.0.100,10.77.0.150,255.255.255.0,600'
const lanOf = (mode: string, from = '10.77.0.10', to = '10.77.0.50') => ({
  name: 'lan',
  subnet: '10.77.0.0/24',
  address: '10.77.0.1',
  mode,
  ranges: [{ from, to }],
  leaseSeconds: 600,
})
const FILES = {
  'uefi-x86_64/firmware': 'snponly-x64.efi',
  'bios-x86/firmware': 'undionly.kpxe',
  http: 'http://10.77.0.1/loaders/snponly-x64.efi',
}

let lab: DhcpLab
let appliance: Machine
beforeEach(async () => {
  lab = await createDhcpLab()
  appliance = await lab.machine('appliance', '10.77.0.1/24')
})
afterEach(() => lab?.close())

const start = (settings: object) => startOurs(appliance, join(lab.dir, 'store.sqlite'), settings)
const udhcpc = async (machine: Machine) => {
  const { stdout, stderr } = await machine.run('busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'lan0', '-s', '/bin/true', '-t', '3', '-T', '1')
  return /lease of (\S+) obtained from (\S+),/.exec(stdout + stderr)?.slice(1)
}
const ASK = fileURLToPath(new URL('dhcp-ask.ts', import.meta.url))
const LOAD = fileURLToPath(new URL('dhcp-load.ts', import.meta.url))
const node = (file: string, ...args: string[]): [string, ...string[]] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  file,
  ...args,
]

interface Reply {
  type: string
  server: string
  yiaddr: string
  siaddr: string
  file: string
  vendorClass: string
  bootFile: string
}
async function ask(machine: Machine, vendorClass: string, arch: string): Promise<Reply[]> {
  await machine.run('ip', 'route', 'add', '255.255.255.255', 'dev', 'lan0')
  const { stdout } = await machine.run(...node(ASK, machine.mac, vendorClass, arch))
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line): Reply => JSON.parse(line))
}

describe('serve', () => {
  test('stays silent where dnsmasq serves, and says so', async () => {
    const other = await lab.machine('other', '10.77.0.2/24')
    await startDnsmasq(other, lab.dir, RANGE)
    const ours = await start({ lans: [lanOf('serve')], probeMs: 2000 })
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(await udhcpc(await lab.machine('client'))).toEqual([expect.stringMatching(/^10\.77\.0\.1\d\d$/), '10.77.0.2'])
    const { events, counters } = await ours.facts()
    expect(events[0]).toMatchObject({ kind: 'dhcp.foreign-server', data: { lan: 'lan', server: '10.77.0.2', blocked: true } })
    expect(counters['silent.blocked']).toBeGreaterThan(0)
    expect(counters.offer).toBeUndefined()
  })

  test('goes on when dnsmasq turns up later, and says so', async () => {
    const ours = await start({ lans: [lanOf('serve')], probeMs: 300 })
    await new Promise((resolve) => setTimeout(resolve, 800))
    await startDnsmasq(await lab.machine('other', '10.77.0.2/24'), lab.dir, RANGE)
    // It answers this client by broadcast; unicast offers pass us by, and show at the next look around or when a client takes one.
    await ask(await lab.machine('client', '10.77.0.9/24'), 'PXEClient:Arch:00007:UNDI:003000', '7')
    await until('the other server is noticed', async () => (await ours.facts()).events.some(({ kind }) => kind === 'dhcp.foreign-server'))
    const { events, counters } = await ours.facts()
    expect(events.find(({ kind }) => kind === 'dhcp.foreign-server')?.data).toEqual({ lan: 'lan', server: '10.77.0.2', blocked: false })
    expect(counters.offer).toBeGreaterThan(0)
  })
})

describe('proxy beside dnsmasq', () => {
  beforeEach(async () => {
    await startDnsmasq(await lab.machine('other', '10.77.0.2/24'), lab.dir, RANGE)
  })

  for (const { firmware, vendorClass, arch, is } of [
    {
      firmware: 'UEFI',
      vendorClass: 'PXEClient:Arch:00007:UNDI:003000',
      arch: '7',
      is: { vendorClass: 'PXEClient', file: 'snponly-x64.efi' },
    },
    {
      firmware: 'BIOS',
      vendorClass: 'PXEClient:Arch:00000:UNDI:002001',
      arch: '0',
      is: { vendorClass: 'PXEClient', file: 'undionly.kpxe' },
    },
    {
      firmware: 'UEFI HTTP boot',
      vendorClass: 'HTTPClient:Arch:00016:UNDI:003000',
      arch: '16',
      is: { vendorClass: 'HTTPClient', bootFile: 'http://10.77.0.1/loaders/snponly-x64.efi' },
    },
  ])
    test(`${firmware} gets its address from dnsmasq and its file from us`, async () => {
      await start({ lans: [lanOf('proxy')], files: FILES })
      const replies = await ask(await lab.machine('client', '10.77.0.9/24'), vendorClass, arch)
      const theirs = replies.find(({ server }) => server === '10.77.0.2')
      const mine = replies.find(({ server }) => server === '10.77.0.1')
      expect(theirs).toMatchObject({ type: 'offer', yiaddr: expect.stringMatching(/^10\.77\.0\.1\d\d$/) })
      expect(mine).toMatchObject({ type: 'offer', yiaddr: '0.0.0.0', siaddr: '10.77.0.1', ...is })
      expect(replies).toHaveLength(2)
    })

  test('an ordinary client does not notice us, and we learn its lease', async () => {
    const ours = await start({ lans: [lanOf('proxy')], files: FILES })
    const client = await lab.machine('client')
    const [ip, server] = (await udhcpc(client)) ?? []
    expect(server).toBe('10.77.0.2')
    const { leases, events, counters } = await ours.facts()
    expect(leases).toMatchObject([{ mac: client.mac, ip, state: 'bound' }])
    expect(events.map(({ kind }) => kind).sort()).toEqual(['dhcp.foreign-server', 'dhcp.lease'])
    expect(counters.sent).toBeUndefined()
  })
})

test('observe answers nobody, and what it learned is kept when it takes over', async () => {
  const other = await lab.machine('other', '10.77.0.2/24')
  const dnsmasq = await startDnsmasq(other, lab.dir, RANGE)
  const observer = await start({ lans: [lanOf('observe')], files: FILES })
  const client = await lab.machine('client')
  const [ip] = (await udhcpc(client)) ?? []
  expect((await observer.facts()).leases).toMatchObject([{ mac: client.mac, ip }])
  expect((await observer.facts()).counters.sent).toBeUndefined()
  await observer.end()
  await dnsmasq.end()
  await start({ lans: [lanOf('serve', '10.77.0.100', '10.77.0.150')], probeMs: 300 })
  await new Promise((resolve) => setTimeout(resolve, 800))
  expect(await udhcpc(client)).toEqual([ip, '10.77.0.1'])
})

test('kill -9 between leases: none that was told is lost, none is given twice', async () => {
  const CLIENTS = 3000
  const settings = { lans: [{ ...lanOf('serve', '10.77.16.1', '10.77.47.254'), subnet: '10.77.0.0/16' }], probeMs: 100 }
  const relay = await lab.machine('relay', '10.77.0.3/16')
  await appliance.run('ip', 'addr', 'replace', '10.77.0.1/16', 'brd', '+', 'dev', 'lan0')
  await appliance.run('ip', 'addr', 'del', '10.77.0.1/24', 'dev', 'lan0')
  const path = join(lab.dir, 'store.sqlite')
  let ours = await startOurs(appliance, path, settings)
  const load = relay.spawn(...node(LOAD, '10.77.0.3', '10.77.0.1', String(CLIENTS), '600'))
  const told = () =>
    load
      .said()
      .split('\n')
      .filter((line) => line.startsWith('02:be'))
  for (let kill = 1; kill <= 5; kill++) {
    await until(`${kill * 400} leases were told`, () => told().length >= kill * 400, 30_000)
    ours.signal('SIGKILL')
    await ours.end()
    ours = await startOurs(appliance, path, settings)
  }
  await until('every client has its lease', () => told().length === CLIENTS, 60_000)
  await ours.end()

  const leases = told().map((line) => line.split(' '))
  expect(new Set(leases.map(([, ip]) => ip)).size).toBe(CLIENTS)
  const store = openStore(path)
  const kept = new Map(
    store.db
      .prepare<[], { mac: string; ip: string }>('SELECT mac, ip FROM leases')
      .all()
      .map(({ mac, ip }) => [mac, ip]),
  )
  const events = store.db.prepare<[], { n: number }>("SELECT count(*) AS n FROM outbox WHERE event LIKE '%dhcp.lease%'").get()?.n
  store.close()
  expect(leases.filter(([mac = '', ip]) => kept.get(mac) !== ip)).toEqual([])
  expect(events).toBe(kept.size)
})
