import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa, execaSync } from 'execa'
import { end, ipIn, noNamespaces, spawnIn, until } from '../bench/harness.ts'

/** A LAN of network namespaces on one bridge (10.77.0.0/24), for clients and servers that are not ours. */
export interface DhcpLab {
  readonly dir: string
  /** Adds a machine: a namespace with one interface, `lan0`; with `address` (`10.77.0.1/24`) where it shall have one. */
  machine(name: string, address?: string): Promise<Machine>
  close(): Promise<void>
}

export interface Machine {
  readonly ns: string
  readonly mac: string
  run(...argv: [string, ...string[]]): Promise<{ stdout: string; stderr: string; exitCode: number | undefined }>
  /** Ended with the lab at the latest. */
  spawn(...argv: [string, ...string[]]): Child
  /** IPv4 addresses of its interface. */
  addresses(): Promise<string[]>
}

export interface Child {
  readonly pid: number
  /** What it has written so far, to both streams. */
  said(): string
  signal(name: NodeJS.Signals): void
  end(): Promise<void>
}

let count = 0

/** Throws, saying why, where namespaces cannot be made. */
export async function createDhcpLab(): Promise<DhcpLab> {
  const why = await noNamespaces()
  if (why !== undefined) throw new Error(`the DHCP interop tests need network namespaces: ${why}`)
  const id = `bhi${process.pid.toString(36)}${(count++).toString(36)}`
  const dir = await mkdtemp(join(tmpdir(), 'bridgehead-dhcp-'))
  const namespaces: string[] = []
  const children: Child[] = []
  const addNamespace = async (name: string) => {
    const ns = `${id}${name}`
    await execa('ip', ['netns', 'add', ns])
    namespaces.push(ns)
    await ipIn(ns, 'link', 'set', 'lo', 'up')
    return ns
  }
  const hub = await addNamespace('hub')
  await ipIn(hub, 'link', 'add', 'br0', 'type', 'bridge')
  await ipIn(hub, 'link', 'set', 'br0', 'up')

  const spawn = (ns: string, argv: [string, ...string[]]): Child => {
    const started = spawnIn(ns, argv)
    let text = ''
    started.all?.on('data', (chunk) => {
      text += String(chunk)
    })
    const child: Child = {
      pid: started.pid ?? 0,
      said: () => text,
      signal: (name) => void started.kill(name),
      end: () => end(started),
    }
    children.push(child)
    return child
  }

  return {
    dir,
    async machine(name, address) {
      const ns = await addNamespace(name)
      await ipIn(hub, 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'lan0', 'netns', ns)
      await ipIn(hub, 'link', 'set', name, 'master', 'br0', 'up')
      if (address) await ipIn(ns, 'addr', 'add', address, 'brd', '+', 'dev', 'lan0')
      await ipIn(ns, 'link', 'set', 'lan0', 'up')
      const links: { address: string }[] = JSON.parse((await ipIn(ns, '-j', 'link', 'show', 'lan0')).stdout)
      return {
        ns,
        mac: links[0]?.address ?? '',
        async run(...argv) {
          const { stdout, stderr, exitCode } = await spawnIn(ns, argv)
          return { stdout: String(stdout), stderr: String(stderr), exitCode }
        },
        spawn: (...argv) => spawn(ns, argv),
        async addresses() {
          const found: { addr_info: { family: string; local: string }[] }[] = JSON.parse(
            (await ipIn(ns, '-j', 'addr', 'show', 'lan0')).stdout,
          )
          return found.flatMap(({ addr_info }) => addr_info.filter(({ family }) => family === 'inet').map(({ local }) => local))
        },
      }
    },
    async close() {
      for (const child of children) await child.end()
      for (const ns of namespaces.reverse()) execaSync('ip', ['netns', 'del', ns], { reject: false })
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const PROCESS = fileURLToPath(new URL('dhcp-process.ts', import.meta.url))

export interface Facts {
  counters: Record<string, number>
  leases: { ip: string; mac: string; hostname?: string; state: string }[]
  seen: string[]
  events: { kind: string; data: Record<string, unknown> }[]
}

/** Our server as a process of its own on `machine`; `settings` as dhcp-process.ts takes them. */
export async function startOurs(machine: Machine, store: string, settings: object): Promise<Child & { facts(): Promise<Facts> }> {
  const child = machine.spawn(process.execPath, '--disable-warning=ExperimentalWarning', PROCESS, store, JSON.stringify(settings))
  await until('our DHCP server is ready', () => child.said().includes('ready\n'), 20_000)
  return {
    ...child,
    async facts() {
      const from = child.said().length
      child.signal('SIGUSR2')
      await until('our DHCP server tells its facts', () => child.said().slice(from).includes('}\n'))
      return JSON.parse(
        child
          .said()
          .slice(from)
          .split('\n')
          .find((line) => line.startsWith('{"counters"')) ?? '{}',
      )
    },
  }
}

/** dnsmasq as the LAN's own server, at once (it would ping for 3 s). */
export async function startDnsmasq(machine: Machine, dir: string, range: string): Promise<Child> {
  const child = machine.spawn(
    'dnsmasq',
    '--no-daemon',
    '--conf-file=/dev/null',
    '--user=root',
    '--port=0',
    '--no-ping',
    '--log-dhcp',
    '--interface=lan0',
    `--dhcp-range=${range}`,
    `--dhcp-leasefile=${join(dir, 'dnsmasq.leases')}`,
  )
  await until('dnsmasq is ready', () => /DHCP, (IP range|sockets bound)/.test(child.said()))
  return child
}

/** A script that gives the interface what the client was told, for udhcpc and for dhclient, without touching resolv.conf. */
export async function writeClientScript(dir: string): Promise<string> {
  const path = join(dir, 'client-script')
  const text = `#!/bin/sh
# udhcpc: $1, $ip, $mask; dhclient: $reason, $new_ip_address
case "$1$reason" in
  bound|renew) ip addr replace "$ip/24" brd + dev "$interface"; echo "got $ip ($1)" ;;
  BOUND|REBOOT|RENEW|REBIND) ip link set "$interface" up; ip addr replace "$new_ip_address/24" brd + dev "$interface"; echo "got $new_ip_address ($reason)" ;;
  deconfig|RELEASE|EXPIRE|FAIL|STOP) ip addr flush dev "$interface"; ip link set "$interface" up; echo "lost ($1$reason)" ;;
  PREINIT) ip link set "$interface" up ;;
esac
exit 0
`
  await writeFile(path, text, { mode: 0o755 })
  return path
}
