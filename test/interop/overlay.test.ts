import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hubAddress, newUlaPrefix, siteNetwork } from '@bridgehead/manager/engines/overlay/ula.ts'
import { keysIn, parseDump } from '@bridgehead/shared/wireguard.ts'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TunnelPeer } from './tunnel-peer.ts'

// Three namespaces on one bridge; both sites have the same 192.168.1.0/24 besides.
const tag = `bh${process.pid}`
const WAN = `${tag}-wan`
const HUB = { ns: `${tag}-hub`, wan: '10.99.0.1', link: `${tag}h` }
const SITES = [1, 2].map((n) => ({ n, ns: `${tag}-s${n}`, wan: `10.99.0.1${n}`, link: `${tag}s${n}` }))
const PORT = 51_820
const prefix = newUlaPrefix((bytes) => crypto.getRandomValues(new Uint8Array(bytes)))

let directory: string
let hubProcess: ChildProcess
const children: ChildProcess[] = []

const ip = (...args: string[]) => execa('ip', args)
// Not `ip netns exec`, which mounts /sys anew and fails in a chroot.
const inside = (ns: string, ...command: string[]) => execa('nsenter', [`--net=/run/netns/${ns}`, ...command])

async function wire(ns: string, address: string): Promise<void> {
  const port = `${ns.slice(-3)}p`.replace('-', '')
  await ip('netns', 'add', ns)
  await inside(WAN, 'ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'wan', 'netns', ns)
  await inside(WAN, 'ip', 'link', 'set', port, 'master', 'bridge0', 'up')
  await inside(ns, 'ip', 'address', 'add', `${address}/24`, 'dev', 'wan')
  for (const device of ['lo', 'wan']) await inside(ns, 'ip', 'link', 'set', device, 'up')
}

async function startPeer(ns: string, options: TunnelPeer): Promise<ChildProcess> {
  const child = spawn('nsenter', [`--net=/run/netns/${ns}`, process.execPath, 'test/interop/tunnel-peer.ts', JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk
  })
  const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (!String(first).includes('ready')) throw new Error(`${ns} did not come up: ${said}`)
  return child
}

const startHub = async (): Promise<ChildProcess> =>
  startPeer(HUB.ns, {
    hub: { directory: join(directory, 'hub'), interfaceName: HUB.link, port: PORT, prefix },
    peers: await Promise.all(
      SITES.map(async ({ n }) => ({
        publicKey: (await keysIn(join(directory, `site${n}`))).publicKey,
        allowedIps: [siteNetwork(prefix, n).network],
      })),
    ),
  })

async function killHub(): Promise<void> {
  expect(hubProcess.exitCode, 'the hub ended by itself').toBeNull()
  hubProcess.kill('SIGKILL')
  await once(hubProcess, 'exit')
}

/** Whether a ping gets through within a second. */
const reaches = async (ns: string, address: string) =>
  (await inside(ns, 'ping', '-6', '-c', '1', '-W', '1', address).catch(() => undefined))?.exitCode === 0
const soon = { timeout: 60_000, interval: 200 }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-overlay-'))
  await ip('netns', 'add', WAN)
  await inside(WAN, 'ip', 'link', 'add', 'bridge0', 'type', 'bridge')
  await inside(WAN, 'ip', 'link', 'set', 'bridge0', 'up')
  for (const { ns, wan } of [HUB, ...SITES]) await wire(ns, wan)
  for (const { ns } of SITES) {
    await inside(ns, 'ip', 'link', 'add', 'lan', 'type', 'bridge')
    await inside(ns, 'ip', 'address', 'add', '192.168.1.1/24', 'dev', 'lan')
    await inside(ns, 'ip', 'link', 'set', 'lan', 'up')
  }
  hubProcess = await startHub()
  const hubKey = (await keysIn(join(directory, 'hub', 'wireguard-key'))).publicKey
  for (const { n, ns, link } of SITES)
    await startPeer(ns, {
      spoke: { name: link, address: siteNetwork(prefix, n).cidr, privateKeyFile: join(directory, `site${n}`) },
      peers: [{ publicKey: hubKey, allowedIps: [`${hubAddress(prefix)}/128`], endpoint: `${HUB.wan}:${PORT}`, keepaliveSeconds: 1 }],
    })
})

afterAll(async () => {
  for (const child of children)
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  for (const ns of [...SITES.map((site) => site.ns), HUB.ns, WAN]) await ip('netns', 'delete', ns)
  await rm(directory, { recursive: true })
})

test('sites with equal LANs reach the hub, and the hub reaches them', async () => {
  for (const { n, ns } of SITES) {
    await expect.poll(() => reaches(ns, hubAddress(prefix)), soon).toBe(true)
    await expect.poll(() => reaches(HUB.ns, siteNetwork(prefix, n).address), soon).toBe(true)
  }
})

test('a site does not reach another site', async () => {
  expect(await reaches(SITES[0]?.ns ?? '', siteNetwork(prefix, 2).address)).toBe(false)
})

test('the dump names each peer with its handshake and bytes', async () => {
  const status = parseDump((await inside(HUB.ns, 'wg', 'show', HUB.link, 'dump')).stdout)
  expect(status.listenPort).toBe(PORT)
  for (const { n, wan } of SITES) {
    const { publicKey } = await keysIn(join(directory, `site${n}`))
    const peer = status.peers.find((one) => one.publicKey === publicKey)
    expect(peer?.endpoint).toMatch(new RegExp(`^${wan}:`))
    expect(peer?.allowedIps).toEqual([siteNetwork(prefix, n).network])
    expect(Math.abs(Date.now() - (peer?.handshakeAt ?? 0))).toBeLessThan(180_000) // made anew every two minutes
    expect(peer?.rxBytes).toBeGreaterThan(0)
  }
})

test('the private key is in no command line', async () => {
  const key = (await readFile(join(directory, 'hub', 'wireguard-key'), 'utf8')).trim()
  const { stdout } = await execa('ps', ['-eo', 'args'])
  expect(stdout).not.toContain(key)
})

test('a killed wireguard-go comes back by itself', async () => {
  const before = await goProcesses(HUB.link)
  for (const pid of before) process.kill(pid, 'SIGKILL')
  await expect.poll(async () => (await goProcesses(HUB.link)).length, soon).toBe(before.length)
  for (const { ns } of SITES) await expect.poll(() => reaches(ns, hubAddress(prefix)), soon).toBe(true)
})

test('a killed hub leaves the tunnels up, and takes them over when it is started again', async () => {
  const before = await goProcesses(HUB.link)
  await killHub()
  // Nobody is there who could bring them back; a busy machine may lose a ping.
  for (const { ns } of SITES) await expect.poll(() => reaches(ns, hubAddress(prefix)), soon).toBe(true)
  hubProcess = await startHub()
  for (const { ns } of SITES) await expect.poll(() => reaches(ns, hubAddress(prefix)), soon).toBe(true)
  expect(await goProcesses(HUB.link)).toEqual(before)
})

test('another key on an interface of that name is replaced', async () => {
  await killHub()
  await keysIn(join(directory, 'other'))
  await inside(HUB.ns, 'wg', 'set', HUB.link, 'private-key', join(directory, 'other'))
  hubProcess = await startHub()
  const { publicKey } = await keysIn(join(directory, 'hub', 'wireguard-key'))
  expect(parseDump((await inside(HUB.ns, 'wg', 'show', HUB.link, 'dump')).stdout).publicKey).toBe(publicKey)
})

test('stopped in order, nothing is left', async () => {
  hubProcess.kill('SIGTERM')
  await once(hubProcess, 'exit')
  expect(await goProcesses(HUB.link)).toEqual([])
  await expect(inside(HUB.ns, 'ip', 'link', 'show', HUB.link)).rejects.toThrow('does not exist')
})

/** Pids of wireguard-go for this interface; none where the kernel does the work. */
async function goProcesses(name: string): Promise<number[]> {
  const { stdout } = await execa('ps', ['-eo', 'pid,args'])
  return stdout
    .split('\n')
    .filter((line) => line.trim().endsWith(`wireguard-go -f ${name}`))
    .map((line) => Number.parseInt(line, 10))
}
