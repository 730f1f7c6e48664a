import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { end, inNamespace, ipIn, noNamespaces, spawnIn, until } from '../bench/harness.ts'

// box: eth0 and eth1; world: a router with DHCP (dnsmasq) behind eth0; lan: a machine behind eth1. All wiring by veth pairs.
const tag = `bhn${process.pid.toString(36)}`
const [BOX, WORLD, LAN] = [`${tag}b`, `${tag}w`, `${tag}l`]
const directory = mkdtempSync(join(tmpdir(), 'bh-network-'))
const ends: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const why = await noNamespaces()
  if (why !== undefined) throw new Error(`the box's network needs network namespaces: ${why}`)
  for (const ns of [BOX, WORLD, LAN]) {
    await execa('ip', ['netns', 'add', ns])
    await ipIn(ns, 'link', 'set', 'lo', 'up')
  }
  await ipIn(BOX, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'box', 'netns', WORLD)
  await ipIn(BOX, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'box', 'netns', LAN)
  await ipIn(WORLD, 'address', 'add', '10.9.0.1/24', 'dev', 'box')
  await ipIn(WORLD, 'link', 'set', 'box', 'up')
  await ipIn(LAN, 'address', 'add', '192.168.7.50/24', 'dev', 'box')
  await ipIn(LAN, 'link', 'set', 'box', 'up')
  await ipIn(LAN, 'route', 'add', 'default', 'via', '192.168.7.1')
})
afterEach(async () => {
  for (const stop of ends.splice(0)) await stop()
  await ipIn(BOX, 'address', 'flush', 'dev', 'eth0')
  await ipIn(BOX, 'address', 'flush', 'dev', 'eth1')
})
afterAll(async () => {
  for (const ns of [BOX, WORLD, LAN]) await execa('ip', ['netns', 'del', ns], { reject: false })
  rmSync(directory, { recursive: true, force: true })
})

function run(ns: string, ...argv: [string, ...string[]]): void {
  const child = spawnIn(ns, argv)
  ends.push(() => end(child))
}
const inside = async (ns: string, ...argv: [string, ...string[]]) => {
  const [file, ...args] = inNamespace(ns, argv)
  return execa(file, args, { reject: false })
}
const dnsmasq = (...more: string[]) =>
  run(
    ...([WORLD, 'dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--user=root', '--port=0', '--dhcp-no-override', '--no-ping'] as const),
    ...['--interface=box', '--bind-interfaces', '--dhcp-range=10.9.0.100,10.9.0.110,120', `--dhcp-leasefile=${join(directory, 'leases')}`],
    ...['--dhcp-option=option:router,10.9.0.1', '--dhcp-option=option:dns-server,10.9.0.53', '--dhcp-option=option:ntp-server,10.9.0.123'],
    ...more,
  )

let boxes = 0
async function box(order: object = {}, own = join(directory, `box${boxes++}`)) {
  const file = new URL('box-network-process.ts', import.meta.url).pathname
  const [program, ...args] = inNamespace(BOX, [process.execPath, '--disable-warning=ExperimentalWarning', file, own])
  const child = execa(program, args, { all: true, reject: false, buffer: false })
  let text = ''
  child.all.on('data', (part) => {
    text += String(part)
  })
  ends.push(async () => {
    child.kill('SIGTERM')
    await child
  })
  const tell = (next: object) => void child.stdin.write(`${JSON.stringify(next)}\n`)
  tell(order)
  return {
    tell,
    own,
    said: () => text,
    kill: async () => {
      child.kill('SIGKILL')
      await child
    },
    resolv: () => readFileSync(join(own, 'resolv.conf'), 'utf8'),
  }
}
const addresses = async (device: string) => {
  const { stdout } = await ipIn(BOX, '-j', '-4', 'address', 'show', 'dev', device)
  const found: { addr_info: { local: string; prefixlen: number }[] }[] = JSON.parse(stdout)
  return found.flatMap(({ addr_info }) => addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`)).sort()
}
const routes = async () => (await ipIn(BOX, '-4', 'route', 'show', 'default')).stdout.trim()
const holds = (device: string, ...wanted: (string | RegExp)[]) =>
  until(
    `${device} has ${wanted.join(', ')}`,
    async () => {
      const found = await addresses(device)
      return (
        found.length === wanted.length &&
        wanted.every((one) => found.some((has) => (typeof one === 'string' ? has === one : one.test(has))))
      )
    },
    20_000,
  )
const LEASED = /^10\.9\.0\.1(0\d|10)\/24$/
const lan = (address: string, subnet: string) => ({ name: 'main', subnet, address, mode: 'serve' })

test('a lease, name servers, and a route that sends from the leased address', async () => {
  dnsmasq()
  const one = await box()
  await holds('eth0', LEASED)
  await until('the route', async () => /^default via 10\.9\.0\.1 dev eth0 proto 66 src 10\.9\.0\.1\d\d/.test(await routes()))
  await until('name servers', () => one.resolv() === 'nameserver 10.9.0.53\n')
  expect(one.said()).toContain('"ntp":["10.9.0.123"]')
  expect(await addresses('eth1')).toEqual([])
})

test("a LAN inside the uplink's network, also with the very address that DHCP gave", async () => {
  dnsmasq()
  const one = await box({ lans: [lan('10.9.0.77', '10.9.0.0/24')] })
  await holds('eth0', LEASED, '10.9.0.77/24')
  const leased = (await addresses('eth0')).find((address) => LEASED.test(address)) ?? ''
  one.tell({ lans: [lan(leased.replace('/24', ''), '10.9.0.0/24')] })
  await holds('eth0', leased)
  expect((await inside(BOX, 'ping', '-c1', '-W2', '10.9.0.1')).exitCode).toBe(0)
})

test('without any answer the LAN is served, and what is missing is said; a server that comes later is used', async () => {
  const one = await box({ lans: [lan('192.168.7.1', '192.168.7.0/24')] })
  await until('the LAN', async () => [...(await addresses('eth0')), ...(await addresses('eth1'))].includes('192.168.7.1/24'), 20_000)
  await until('the complaint', () => one.said().includes('"event":"network.no_dhcp"'), 30_000)
  dnsmasq()
  await holds('eth0', LEASED)
  await holds('eth1', '192.168.7.1/24')
})

test('two cards: the uplink is closed but for answers, and the LAN reaches the world where a person wants it', async () => {
  dnsmasq()
  const one = await box({ lans: [lan('192.168.7.1', '192.168.7.0/24')] })
  await holds('eth0', LEASED)
  await holds('eth1', '192.168.7.1/24')
  const leased = ((await addresses('eth0'))[0] ?? '').replace('/24', '')
  run(BOX, process.execPath, '-e', "require('node:net').createServer((socket) => socket.end()).listen(8443)")
  const reach = async (ns: string, ip: string) =>
    (await inside(ns, 'timeout', '2', 'bash', '-c', `exec 3<>/dev/tcp/${ip}/8443`)).exitCode === 0
  await until('the page is open on the LAN', () => reach(LAN, '192.168.7.1'))
  await until('the uplink is closed', async () => !(await reach(WORLD, leased)))
  expect((await inside(WORLD, 'ping', '-c1', '-W2', leased)).exitCode).toBe(0)
  expect((await inside(LAN, 'ping', '-c1', '-W1', '10.9.0.1')).exitCode).not.toBe(0)
  one.tell({ config: { lan: { nat: true } }, lans: [lan('192.168.7.1', '192.168.7.0/24')] })
  await until('translation', async () => (await inside(LAN, 'ping', '-c1', '-W1', '10.9.0.1')).exitCode === 0)
  // the world does not get in that way
  await inside(WORLD, 'ip', 'route', 'replace', '192.168.7.0/24', 'via', leased)
  expect((await inside(WORLD, 'ping', '-c1', '-W1', '192.168.7.50')).exitCode).not.toBe(0)
})

test('a fixed address comes and goes with the settings', async () => {
  const fixed = { uplink: { interface: 'eth0', address: '10.9.0.5/24', gateway: '10.9.0.1' } }
  const one = await box({ config: fixed })
  await holds('eth0', '10.9.0.5/24')
  await until('the route', async () => /^default via 10\.9\.0\.1 dev eth0 proto 66 src 10\.9\.0\.5/.test(await routes()))
  await until('name servers', () => one.resolv() === 'nameserver 9.9.9.9\nnameserver 1.1.1.1\n')
  one.tell({ config: { uplink: { ...fixed.uplink, dns: ['10.9.0.53'], gateway: '10.9.0.254' } } })
  await until('another route', async () => (await routes()).startsWith('default via 10.9.0.254'))
  await until('other name servers', () => one.resolv() === 'nameserver 10.9.0.53\n')
  one.tell({ config: { uplink: { interface: 'eth0', address: '10.9.0.6/24' } } })
  await holds('eth0', '10.9.0.6/24')
  await until('no route', async () => (await routes()) === '')
})

test('a daemon that is killed leaves the network as it is, and its successor goes on with the lease and one client', async () => {
  dnsmasq()
  const one = await box()
  await holds('eth0', LEASED)
  const before = await addresses('eth0')
  await one.kill()
  expect(await addresses('eth0')).toEqual(before)
  await box({}, one.own)
  const pidFile = join(one.own, 'network', 'udhcpc.eth0.pid')
  await until(
    'a new client',
    async () => (await inside(BOX, 'pgrep', '-f', `busybox udhcpc.*${one.own}`)).stdout.trim() === readFileSync(pidFile, 'utf8').trim(),
    20_000,
  )
  expect(await addresses('eth0')).toEqual(before)
})

test('what somebody else changed is put right', async () => {
  dnsmasq()
  await box({ lans: [lan('192.168.7.1', '192.168.7.0/24')] })
  await holds('eth1', '192.168.7.1/24')
  await ipIn(BOX, 'address', 'delete', '192.168.7.1/24', 'dev', 'eth1')
  await ipIn(BOX, 'address', 'add', '172.16.0.1/16', 'dev', 'eth1')
  await holds('eth1', '192.168.7.1/24')
})
