import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type BenchRow, end, median, NETWORK, type Pair, row, spawnIn, until, withPair } from './harness.ts'

const NAMES = 2000
const ROUNDS = 5
const SECONDS = 2
const ZONE = 'internal'

interface Peer {
  name: string
  /** Writes what it needs to `pair.dir` and says how to start it in the server's namespace. */
  prepare(pair: Pair): Promise<[string, ...string[]]>
}

interface Measured {
  /** Answers per second. */
  rate: number
  /** Microseconds of CPU time, user and system, that the server spent on one answer. */
  cpuMicros: number
}

/**
 * Answers per second to `dnsperf` for 2,000 local names, and the server's CPU time for one answer, which other load on the machine
 * disturbs less. Ours and the peers in turn, one thread each; medians of five rounds.
 */
export async function benchDns({ json }: { json: boolean }): Promise<BenchRow[]> {
  return withPair(async (pair) => {
    const queries = join(pair.dir, 'queries')
    await writeFile(
      queries,
      hosts()
        .map(({ name }) => `${name}.${ZONE} A\n`)
        .join(''),
    )
    const found = new Map<string, Measured[]>()
    for (let round = 1; round <= ROUNDS; round++)
      for (const peer of [OURS, ...PEERS]) {
        const measured = await measure(peer, pair, queries)
        found.set(peer.name, [...(found.get(peer.name) ?? []), measured])
        const cpu = measured.cpuMicros.toFixed(1)
        if (!json)
          process.stderr.write(`dns.local round ${round}: ${peer.name} ${Math.round(measured.rate)} answers/s, ${cpu} us of CPU each\n`)
      }
    const middle = (peer: Peer, field: keyof Measured) => median((found.get(peer.name) ?? []).map((one) => one[field]))
    return PEERS.flatMap((peer) => [
      row('dns.local', peer.name, '1/s', middle(OURS, 'rate'), middle(peer, 'rate')),
      row('dns.local.cpu', peer.name, 'us', middle(OURS, 'cpuMicros'), middle(peer, 'cpuMicros'), { better: 'less' }),
    ])
  })
}

async function measure(peer: Peer, pair: Pair, queries: string): Promise<Measured> {
  const server = spawnIn(pair.server.ns, await peer.prepare(pair))
  try {
    let gone = ''
    void server.then((result) => {
      gone = `${peer.name} ended: ${result.all ?? ''}`
    })
    await until(`${peer.name} answers`, async () => {
      if (gone) throw new Error(gone)
      const last = `host${NAMES - 1}.${ZONE}`
      const dig = await execa(
        'nsenter',
        [`--net=/run/netns/${pair.client.ns}`, 'dig', '+short', '+tries=1', '+time=1', `@${pair.server.ip}`, last],
        {
          reject: false,
        },
      )
      return dig.stdout.trim() === hosts().at(-1)?.ip
    })
    const flags = ['-s', pair.server.ip, '-d', queries, '-c', '4', '-T', '1', '-q', '200', '-l']
    await execa('nsenter', [`--net=/run/netns/${pair.client.ns}`, 'dnsperf', ...flags, '1']) // warm: caches filled, ours compiled
    const before = await cpuTicks(server.pid)
    const { stdout } = await execa('nsenter', [`--net=/run/netns/${pair.client.ns}`, 'dnsperf', ...flags, String(SECONDS)])
    const ticks = (await cpuTicks(server.pid)) - before
    const [, answers] = /Queries completed:\s+(\d+)/.exec(stdout) ?? []
    const [, rate] = /Queries per second:\s+([\d.]+)/.exec(stdout) ?? []
    const [, good] = /NOERROR \d+ \(([\d.]+)%\)/.exec(stdout) ?? []
    if (rate === undefined || Number(good) < 99.9) throw new Error(`${peer.name}: dnsperf saw wrong answers:\n${stdout}`)
    return { rate: Number(rate), cpuMicros: (ticks * MICROS_PER_TICK) / Number(answers) }
  } finally {
    await end(server)
  }
}

/** User and system time of a process so far, proc(5) fields 14 and 15; a tick is 10 ms on every Linux that Debian builds. */
async function cpuTicks(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  return Number(fields[11]) + Number(fields[12])
}
const MICROS_PER_TICK = 10_000

const hosts = () => Array.from({ length: NAMES }, (_, index) => ({ name: `host${index}`, ip: `10.88.${1 + (index >> 8)}.${index & 255}` }))

const OURS: Peer = {
  name: 'bridgehead',
  async prepare({ server, dir }) {
    const config = join(dir, 'ours.json')
    const lans = [{ address: server.ip, subnet: NETWORK }]
    await writeFile(config, JSON.stringify({ lans, zone: ZONE, forwarders: [], records: [], names: hosts() }))
    return [process.execPath, fileURLToPath(new URL('dns-server.ts', import.meta.url)), config]
  },
}

const PEERS: Peer[] = [
  {
    name: 'dnsmasq',
    async prepare({ server, dir }) {
      const file = join(dir, 'hosts')
      await writeFile(
        file,
        hosts()
          .map(({ name, ip }) => `${ip} ${name}.${ZONE}\n`)
          .join(''),
      )
      const listen = ['--no-resolv', '--no-hosts', `--listen-address=${server.ip}`, '--bind-interfaces', `--local=/${ZONE}/`]
      return ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file', '--user=root', ...listen, `--addn-hosts=${file}`]
    },
  },
  {
    name: 'unbound',
    async prepare({ server, dir }) {
      const file = join(dir, 'unbound.conf')
      const data = hosts().map(({ name, ip }) => `  local-data: "${name}.${ZONE}. 60 IN A ${ip}"\n`)
      const head = `server:\n  interface: ${server.ip}\n  access-control: ${NETWORK} allow\n  num-threads: 1\n  do-daemonize: no\n`
      const quiet = `  username: ""\n  chroot: ""\n  directory: "${dir}"\n  pidfile: ""\n  use-syslog: no\n  module-config: "iterator"\n`
      await writeFile(file, `${head}${quiet}  local-zone: "${ZONE}." static\n${data.join('')}remote-control:\n  control-enable: no\n`)
      return ['unbound', '-d', '-c', file]
    },
  },
  {
    name: 'knot',
    async prepare({ server, dir }) {
      const zone = join(dir, 'internal.zone')
      const soa = `@ 3600 IN SOA dns hostmaster 1 3600 600 86400 30\n@ 3600 IN NS dns\ndns 3600 IN A ${server.ip}\n`
      await writeFile(
        zone,
        `$ORIGIN ${ZONE}.\n${soa}${hosts()
          .map(({ name, ip }) => `${name} 60 IN A ${ip}\n`)
          .join('')}`,
      )
      const file = join(dir, 'knot.conf')
      const head = `server:\n  rundir: "${dir}"\n  listen: ${server.ip}@53\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n`
      const rest = `database:\n  storage: "${dir}/knot"\nlog:\n- target: stderr\n  any: error\n`
      await writeFile(file, `${head}${rest}zone:\n- domain: ${ZONE}\n  file: "${zone}"\n  journal-content: none\n  zonefile-sync: -1\n`)
      return ['knotd', '-c', file]
    },
  },
]
