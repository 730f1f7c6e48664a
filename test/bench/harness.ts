import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa, execaSync } from 'execa'

/** One comparison. `ratio` > 1 means that ours is better, whichever way the unit counts. */
export interface BenchRow {
  bench: string
  peer: string
  unit: string
  value: number
  peerValue: number
  ratio: number
}

/** What `test/bench/{dhcp,dns,http}.ts` export. With `json` they print nothing but through the caller. */
export type Bench = (options: { json: boolean }) => Promise<BenchRow[]>

/** `better: 'more'` for rates, `'less'` for times and CPU seconds. */
export function row(
  bench: string,
  peer: string,
  unit: string,
  value: number,
  peerValue: number,
  { better = 'more' }: { better?: 'more' | 'less' } = {},
): BenchRow {
  const ratio = better === 'more' ? value / peerValue : peerValue / value
  return { bench, peer, unit, value: round(value), peerValue: round(peerValue), ratio: Number(ratio.toFixed(3)) }
}

const round = (value: number) => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)))

/** The middle value; the mean of the two middle ones when their number is even. Throws RangeError on an empty list. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median of nothing')
  const sorted = [...values].sort((a, b) => a - b)
  const high = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const low = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (low + high) / 2
}

/** One end of a veth pair: its namespace, interface and address (`/13`, see NETWORK). */
export interface End {
  readonly ns: string
  readonly dev: string
  readonly ip: string
}
export interface Pair {
  readonly server: End
  readonly client: End
  /** Temporary directory, removed afterwards. */
  readonly dir: string
}

/** Subnet of every pair: half a million addresses, so that a DHCP load never meets its own clients again. */
export const NETWORK = '10.88.0.0/13'
const PREFIX = 13

let count = 0

/** Runs `fn` with two fresh namespaces joined by one veth; both vanish afterwards, with whatever runs in `fn` stopped by `fn`. */
export async function withPair<T>(fn: (pair: Pair) => Promise<T>): Promise<T> {
  const why = await noNamespaces()
  if (why !== undefined) throw new Error(why)
  const id = `bh${process.pid.toString(36)}${(count++).toString(36)}`
  const dir = await mkdtemp(join(tmpdir(), 'bridgehead-bench-'))
  const pair: Pair = {
    server: { ns: `${id}s`, dev: 'veth0', ip: '10.88.0.1' },
    client: { ns: `${id}c`, dev: 'veth0', ip: '10.88.0.2' },
    dir,
  }
  const interrupted = () => {
    removeNamespaces(pair)
    process.exit(130)
  }
  for (const signal of SIGNALS) process.on(signal, interrupted)
  try {
    for (const { ns } of [pair.server, pair.client]) {
      await ip('netns', 'add', ns)
      await ipIn(ns, 'link', 'set', 'lo', 'up')
    }
    await ipIn(pair.server.ns, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', pair.client.ns)
    for (const end of [pair.server, pair.client]) {
      await ipIn(end.ns, 'addr', 'add', `${end.ip}/${PREFIX}`, 'brd', '+', 'dev', end.dev)
      await ipIn(end.ns, 'link', 'set', end.dev, 'up')
    }
    return await fn(pair)
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupted)
    removeNamespaces(pair)
    await rm(dir, { recursive: true, force: true })
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** With whatever still runs in them. Not asynchronous: a signal's handler calls it too. */
function removeNamespaces({ server, client }: Pair): void {
  for (const { ns } of [server, client]) {
    const { stdout } = execaSync('ip', ['netns', 'pids', ns], { reject: false })
    for (const pid of (stdout ?? '').split('\n').filter(Boolean)) execaSync('kill', ['-9', pid], { reject: false })
    execaSync('ip', ['netns', 'del', ns], { reject: false })
  }
}

/** Undefined when this process may make network namespaces; else a sentence that says why not. */
export async function noNamespaces(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root: run this as root (sudo)'
  const ns = `bh${process.pid.toString(36)}probe`
  const made = await execa('ip', ['netns', 'add', ns], { reject: false })
  if (made.failed) return `cannot make network namespaces: ${made.stderr || made.shortMessage}`
  await execa('ip', ['netns', 'del', ns], { reject: false })
  return undefined
}

/** `argv` inside a namespace. Not `ip netns exec` nor `ip -n`: they mount /sys anew, which fails in a chroot. */
export function inNamespace(ns: string, argv: readonly [string, ...string[]]): [string, ...string[]] {
  return ['nsenter', `--net=/run/netns/${ns}`, ...argv]
}

/** `ip` inside a namespace. Throws when it fails. */
export function ipIn(ns: string, ...args: string[]) {
  const [file, ...rest] = inNamespace(ns, ['ip', ...args])
  return execa(file, rest)
}

/** Starts `argv` inside a namespace. The child is the program itself (`nsenter` replaces itself), so `kill` reaches it. */
export function spawnIn(ns: string, argv: readonly [string, ...string[]], options: { env?: Record<string, string>; cwd?: string } = {}) {
  const [file, ...rest] = inNamespace(ns, argv)
  return execa(file, rest, { reject: false, all: true, buffer: true, ...options })
}

/** Ends a child (SIGTERM, SIGKILL after 3 s) and waits until it is gone. */
export async function end(child: ReturnType<typeof spawnIn>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
  await child
  clearTimeout(timer)
}

/** Asks `ready` every 50 ms; throws after `ms`, naming what was awaited. */
export async function until(what: string, ready: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await ready())) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** User and system CPU seconds that a process has used so far. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold spaces
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const ip = (...args: string[]) => execa('ip', args)
