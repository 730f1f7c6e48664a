// Clients that are not ours get, renew and release leases from the real server process.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../bench/harness.ts'
import { createDhcpLab, type DhcpLab, type Machine, startOurs, writeClientScript } from './dhcp-lab.ts'

const LAN = {
  name: 'lan',
  subnet: '10.77.0.0/24',
  address: '10.77.0.1',
  router: '10.77.0.254',
  mode: 'serve',
  ranges: [{ from: '10.77.0.100', to: '10.77.0.150' }],
  leaseSeconds: 600,
}

let lab: DhcpLab
let ours: Awaited<ReturnType<typeof startOurs>>
let script: string

beforeAll(async () => {
  lab = await createDhcpLab()
  script = await writeClientScript(lab.dir)
  const appliance = await lab.machine('appliance', '10.77.0.1/24')
  ours = await startOurs(appliance, join(lab.dir, 'store.sqlite'), { lans: [LAN], probeMs: 300, reservations: {} })
  await new Promise((resolve) => setTimeout(resolve, 800))
})
afterAll(() => lab?.close())

const leaseOf = async ({ mac }: Machine) => (await ours.facts()).leases.find((lease) => lease.mac === mac && lease.state === 'bound')?.ip
const eventsOf = async ({ mac }: Machine) => (await ours.facts()).events.filter(({ data }) => data.mac === mac).map(({ kind }) => kind)
const acks = async () => (await ours.facts()).counters.ack ?? 0
const address = async (machine: Machine) => (await machine.addresses())[0]

describe('busybox udhcpc', () => {
  test('gets a lease, renews it by unicast, releases it', async () => {
    const machine = await lab.machine('udhcpc')
    const client = machine.spawn('busybox', 'udhcpc', '-f', '-i', 'lan0', '-s', script, '-x', 'hostname:box', '-R')
    await until('udhcpc has a lease', () => /lease of 10\.77\.0\.\d+ obtained/.test(client.said()), 20_000)
    await until('its interface has the address', async () => (await address(machine)) !== undefined)
    expect(await leaseOf(machine)).toBe(await address(machine))
    const before = await acks()
    client.signal('SIGUSR1')
    await until('the renewal is acknowledged', async () => (await acks()) > before)
    expect(await eventsOf(machine)).toEqual(['dhcp.lease']) // a renewal is no news
    client.signal('SIGUSR2')
    await until('the lease is gone', async () => (await leaseOf(machine)) === undefined)
    expect(await eventsOf(machine)).toEqual(['dhcp.lease', 'dhcp.release'])
  })
})

describe('ISC dhclient', () => {
  test('gets a lease, keeps it over a restart (INIT-REBOOT), releases it', async () => {
    const machine = await lab.machine('dhclient')
    const files = ['-sf', script, '-lf', join(lab.dir, 'dhclient.leases'), '-pf', join(lab.dir, 'dhclient.pid')]
    const client = machine.spawn('dhclient', '-4', '-d', ...files, 'lan0')
    await until('dhclient is bound', () => /bound to 10\.77\.0\.\d+/.test(client.said()), 20_000)
    const first = await leaseOf(machine)
    expect(first).toBe(await address(machine))
    await client.end()
    const before = await acks()
    const again = machine.spawn('dhclient', '-4', '-d', ...files, 'lan0')
    await until('dhclient is bound again', () => /bound to 10\.77\.0\.\d+/.test(again.said()), 20_000)
    expect(again.said()).not.toContain('DHCPDISCOVER')
    expect(await acks()).toBe(before + 1)
    expect(await leaseOf(machine)).toBe(first)
    await again.end()
    await machine.run('dhclient', '-4', '-r', ...files, 'lan0')
    await until('the lease is gone', async () => (await leaseOf(machine)) === undefined)
  })
})

describe('dhcpcd', () => {
  test('gets a lease, rebinds it, releases it', async () => {
    const machine = await lab.machine('dhcpcd')
    const config = ['-4', '--noipv4ll', '--script', '/bin/true', '--config', '/dev/null']
    const client = machine.spawn('dhcpcd', '--nobackground', '--debug', ...config, 'lan0')
    await until('dhcpcd has a lease', () => /leased 10\.77\.0\.\d+/.test(client.said()), 30_000)
    await until('its interface has the address', async () => (await address(machine)) !== undefined)
    expect(await leaseOf(machine)).toBe(await address(machine))
    const before = await acks()
    await machine.run('dhcpcd', '-4', '--rebind', 'lan0')
    await until('the renewal is acknowledged', async () => (await acks()) > before)
    await machine.run('dhcpcd', '-4', '--release', 'lan0')
    await until('the lease is gone', async () => (await leaseOf(machine)) === undefined)
  })
})

test('firmware, loader and system with three client ids keep one address', async () => {
  const machine = await lab.machine('reborn')
  const get = (...more: string[]) =>
    machine.run('busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'lan0', '-s', '/bin/true', '-t', '5', '-T', '2', ...more)
  const addressIn = ({ stdout, stderr }: { stdout: string; stderr: string }) => /lease of (\S+) obtained/.exec(stdout + stderr)?.[1]
  const first = addressIn(await get('-x', '0x3d:00aabbccdd', '-V', 'PXEClient:Arch:00007:UNDI:003000'))
  expect(first).toMatch(/^10\.77\.0\.1\d\d$/)
  expect(addressIn(await get('-C'))).toBe(first)
  expect(addressIn(await get('-x', '0x3d:ff11223344'))).toBe(first)
})
