import { randomBytes } from 'node:crypto'
import { chmod, open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type BenchRow, cpuSeconds, end, median, type Pair, row, spawnIn, until, withPair } from './harness.ts'

const ROUNDS = 5
const MIB = 1_048_576
const GIB = 1024 * MIB
const TFTP_BYTES = 40 * MIB

/** MB/s (10^6 bytes) as the client saw them, and the server's CPU seconds for it. */
interface Measured {
  rate: number
  cpu: number
}

interface Contender {
  name: string
  /** How to start it in the server's namespace, serving `pair.dir`. */
  argv: [string, ...string[]]
  /** Fetches once in the client's namespace; resolves with bytes per second. */
  fetch(pair: Pair): Promise<number>
}

/**
 * One file of 1 GiB by HTTP against nginx, one of 40 MiB by TFTP against atftpd or tftpd-hpa (whichever is installed); one client, ours
 * and the peer in turn over one veth; medians.
 */
export async function benchHttp({ json }: { json: boolean }): Promise<BenchRow[]> {
  return withPair(async (pair) => {
    await chmod(pair.dir, 0o755) // the peers serve as another user
    await fill(join(pair.dir, 'gib'), GIB)
    await fill(join(pair.dir, 'loader'), TFTP_BYTES)
    const note = (text: string) => json || process.stderr.write(`${text}\n`)

    const nginx = await compare('http.1gib', pair, httpOf('bridgehead', ours(pair, 'gib')), httpOf('nginx', await nginxArgv(pair)), note)
    const rows = [
      row('http.1gib', 'nginx', 'MB/s', nginx.ours.rate, nginx.peer.rate),
      row('http.1gib.cpu', 'nginx', 's', nginx.ours.cpu, nginx.peer.cpu, { better: 'less' }),
    ]
    const peer = await tftpPeer(pair)
    if (!peer) return rows
    const lockStep = ['curl', '-sS', '-o', '/dev/null', '-w', '%{speed_download}', '--tftp-blksize', '1428']
    const plain = (name: string, argv: [string, ...string[]]): Contender => ({
      name,
      argv,
      fetch: async ({ client, server }) => Number((await inside(client.ns, [...lockStep, `tftp://${server.ip}/loader`])).stdout),
    })
    const alone = await compare('tftp.lockstep', pair, plain('bridgehead', ours(pair, 'loader')), plain(peer.name, peer.argv), note)
    rows.push(row('tftp.lockstep', peer.name, 'MB/s', alone.ours.rate, alone.peer.rate))
    const windowed = await compare(
      'tftp.window16',
      pair,
      windowOf('bridgehead', ours(pair, 'loader')),
      windowOf(peer.name, peer.argv),
      note,
    )
    rows.push(row('tftp.window16', peer.name, 'MB/s', windowed.ours.rate, windowed.peer.rate))
    return rows
  })
}

async function compare(bench: string, pair: Pair, ours: Contender, peer: Contender, note: (text: string) => unknown) {
  const found = new Map<Contender, Measured[]>([
    [ours, []],
    [peer, []],
  ])
  for (let round = 1; round <= ROUNDS; round++)
    for (const [contender, all] of found) {
      const { rate, cpu } = await measure(pair, contender)
      all.push({ rate, cpu })
      note(`${bench} round ${round}: ${contender.name} ${Math.round(rate)} MB/s, ${cpu.toFixed(2)} s of CPU`)
    }
  const middle = (one: Contender): Measured => ({
    rate: median((found.get(one) ?? []).map(({ rate }) => rate)),
    cpu: median((found.get(one) ?? []).map(({ cpu }) => cpu)),
  })
  return { ours: middle(ours), peer: middle(peer) }
}

/** Starts, warms, measures, ends: the servers never run at the same time. */
async function measure(pair: Pair, { name, argv, fetch }: Contender): Promise<Measured> {
  const server = spawnIn(pair.server.ns, argv)
  try {
    let gone: string | undefined
    void server.then((result) => {
      gone = `${name} ended: ${result.all ?? ''}`
    })
    await until(`${name} answers`, async () => {
      if (gone !== undefined) throw new Error(gone)
      return fetch(pair).then(
        () => true,
        () => false,
      )
    })
    const pid = server.pid ?? 0
    const before = await cpuSeconds(pid)
    const rate = (await fetch(pair)) / 1e6
    return { rate, cpu: (await cpuSeconds(pid)) - before }
  } finally {
    await end(server)
  }
}

const inside = (ns: string, argv: readonly string[]) => execa('nsenter', [`--net=/run/netns/${ns}`, ...argv], { timeout: 60_000 })

const ours = ({ server, dir }: Pair, file: string): [string, ...string[]] => [
  process.execPath,
  fileURLToPath(new URL('boot-server.ts', import.meta.url)),
  server.ip,
  join(dir, file),
]

const httpOf = (name: string, argv: [string, ...string[]]): Contender => ({
  name,
  argv,
  async fetch({ client, server }) {
    const { stdout } = await inside(client.ns, [
      'curl',
      '-fsS',
      '-o',
      '/dev/null',
      '-w',
      '%{speed_download}',
      `http://${server.ip}/loaders/gib`,
    ])
    return Number(stdout)
  },
})

const windowOf = (name: string, argv: [string, ...string[]]): Contender => ({
  name,
  argv,
  async fetch({ client, server, dir }) {
    const began = performance.now()
    const options = ['--option', 'windowsize 16', '--option', 'blksize 1428']
    await inside(client.ns, ['atftp', ...options, '-g', '-r', 'loader', '-l', join(dir, 'got'), server.ip])
    return TFTP_BYTES / ((performance.now() - began) / 1000)
  },
})

/** One process with sendfile, as Debian configures it otherwise; no access log. */
async function nginxArgv({ server, dir }: Pair): Promise<[string, ...string[]]> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${dir}/nginx-${kind};`).join(' ')
  const site = `server { listen ${server.ip}:80; location /loaders/ { alias ${dir}/; } }`
  const config = `daemon off; master_process off; pid ${dir}/nginx.pid; error_log ${dir}/nginx.log;
events {} http { access_log off; sendfile on; tcp_nopush on; ${temporary} ${site} }`
  const path = join(dir, 'nginx.conf')
  const file = await open(path, 'w')
  await file.writeFile(config)
  await file.close()
  return ['nginx', '-e', `${dir}/nginx.log`, '-c', path]
}

/** Debian has two TFTP daemons that exclude each other. */
async function tftpPeer({ server, dir }: Pair): Promise<{ name: string; argv: [string, ...string[]] } | undefined> {
  const has = async (program: string) => !(await execa('which', [program], { reject: false })).failed
  if (await has('atftpd')) return { name: 'atftpd', argv: ['atftpd', '--daemon', '--no-fork', '--bind-address', server.ip, dir] }
  if (await has('in.tftpd'))
    return { name: 'tftpd-hpa', argv: ['in.tftpd', '--foreground', '--address', `${server.ip}:69`, '--secure', dir] }
  return undefined
}

async function fill(path: string, bytes: number): Promise<void> {
  const piece = randomBytes(MIB)
  const file = await open(path, 'w', 0o644)
  try {
    for (let written = 0; written < bytes; written += piece.length) await file.write(piece)
  } finally {
    await file.close()
  }
}
