// 4-way exchanges a second, by perfdhcp (which plays a relay with ever new clients): ours, durable, against Kea and dnsmasq.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type BenchRow, end, median, type Pair, row, spawnIn, until, withPair } from './harness.ts'

interface Peer {
  name: string
  /** Rates to offer; a server's figure is what it does at the one that suits it best. */
  offered: readonly number[]
  /** The child comes in an object: a promise of it alone would wait for its end. */
  start(pair: Pair, round: number): Promise<{ child: ReturnType<typeof spawnIn> }>
}

const ROUNDS = 3
const SECONDS = 6
const RANGE = { from: '10.89.0.0', to: '10.95.255.254' }
const SERVER = fileURLToPath(new URL('../interop/dhcp-process.ts', import.meta.url))

const ours: Peer = {
  name: 'ours',
  offered: [12_000, 16_000, 20_000],
  async start({ server, dir }, round) {
    const lan = { name: 'lan', subnet: '10.88.0.0/13', address: server.ip, mode: 'serve', ranges: [RANGE], leaseSeconds: 3600 }
    const settings = JSON.stringify({ lans: [lan], level: 'warn', probeMs: 100 })
    const child = spawnIn(server.ns, [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      SERVER,
      join(dir, `${round}.db`),
      settings,
    ])
    let said = ''
    child.stdout?.on('data', (chunk) => (said += String(chunk)))
    await until('our server is ready', () => said.includes('ready'))
    await pause(500)
    return { child }
  },
}

const kea: Peer = {
  name: 'kea',
  offered: ours.offered,
  async start({ server, dir }, round) {
    const config = join(dir, `kea-${round}.json`)
    const Dhcp4 = {
      'interfaces-config': { interfaces: [server.dev], 'dhcp-socket-type': 'udp' },
      'lease-database': { type: 'memfile', persist: true, name: join(dir, `kea-${round}.csv`), 'lfc-interval': 0 },
      'multi-threading': { 'enable-multi-threading': true, 'thread-pool-size': 2, 'packet-queue-size': 64 },
      'valid-lifetime': 3600,
      subnet4: [{ id: 1, subnet: '10.88.0.0/13', pools: [{ pool: `${RANGE.from} - ${RANGE.to}` }] }],
      loggers: [{ name: 'kea-dhcp4', severity: 'WARN', output_options: [{ output: 'stderr' }] }],
    }
    await writeFile(config, JSON.stringify({ Dhcp4 }))
    const env = { KEA_PIDFILE_DIR: dir, KEA_LOCKFILE_DIR: dir }
    const child = spawnIn(server.ns, ['kea-dhcp4', '-c', config], { env })
    await listening(server.ns)
    return { child }
  },
}

const dnsmasq: Peer = {
  name: 'dnsmasq',
  offered: [400, 800],
  async start({ server, dir }, round) {
    const child = spawnIn(server.ns, [
      'dnsmasq',
      '--no-daemon',
      '--conf-file=/dev/null',
      '--user=root',
      '--port=0',
      '--no-ping',
      '--log-facility=/dev/null',
      '--quiet-dhcp',
      '--dhcp-authoritative',
      '--dhcp-lease-max=1000000',
      `--interface=${server.dev}`,
      `--dhcp-range=${RANGE.from},${RANGE.to},255.248.0.0,3600`,
      `--dhcp-leasefile=${join(dir, `dnsmasq-${round}.leases`)}`,
    ])
    await listening(server.ns)
    return { child }
  },
}

/** Rows `dhcp.dora` against Kea and dnsmasq: medians of three rounds, the servers in turn in one pair of namespaces. */
export async function benchDhcp({ json }: { json: boolean }): Promise<BenchRow[]> {
  const say = (line: string) => json || process.stderr.write(`${line}\n`)
  const rates = new Map<string, number[]>()
  await withPair(async (pair) => {
    for (let round = 0; round < ROUNDS; round++)
      for (const peer of [ours, kea, dnsmasq]) {
        const rate = await best(pair, peer, round)
        rates.set(peer.name, [...(rates.get(peer.name) ?? []), rate])
        say(`round ${round + 1}: ${peer.name} ${Math.round(rate)} 4-way exchanges a second`)
      }
  })
  const mine = median(rates.get('ours') ?? [])
  return ['kea', 'dnsmasq'].map((name) => row('dhcp.dora', name, '1/s', mine, median(rates.get(name) ?? [])))
}

/** A fresh server for each rate, so that no run pays for another's leases. */
async function best(pair: Pair, peer: Peer, round: number): Promise<number> {
  let most = 0
  for (const [index, rate] of peer.offered.entries()) {
    const { child } = await peer.start(pair, round * 10 + index)
    try {
      most = Math.max(most, await load(pair, rate))
    } finally {
      await end(child)
    }
  }
  return most
}

/** What perfdhcp counts: whole exchanges a second. It exits 3 when some were dropped, which is the point of an overload. */
async function load({ client, server }: Pair, rate: number): Promise<number> {
  const argv = ['perfdhcp', '-4', '-l', client.dev, '-r', String(rate), '-p', String(SECONDS), '-R', '1000000', '-u', server.ip] as const
  const { stdout, exitCode } = await spawnIn(client.ns, [...argv])
  const found = /Rate: ([\d.]+) 4-way/.exec(stdout)
  const clashes = /non unique addresses: ([1-9]\d*)/.exec(stdout)
  if (clashes) throw new Error(`perfdhcp got ${clashes[1]} addresses twice`)
  if (!found) throw new Error(`perfdhcp (exit ${exitCode}) told no rate:\n${stdout}`)
  return Number(found[1])
}

async function listening(ns: string): Promise<void> {
  await until('a server listens on port 67', async () => {
    const { stdout } = await execa('nsenter', [`--net=/run/netns/${ns}`, 'cat', '/proc/net/udp'])
    return /:0043 /.test(stdout)
  })
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
