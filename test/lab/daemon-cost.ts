import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { type Memory, memoryOf } from './memory.ts'
import type { SmallManager } from './small-manager.ts'

/** What the daemon costs a site that has one LAN and a manager, measured at a start with everything already stored. */
export interface DaemonCost {
  memory: Memory
  /** From exec until its DHCP socket is open. */
  dhcpMs: number
  /** Processor time that it had used by then, of all its threads. */
  dhcpCpuMs: number
  /** From exec until it is connected with its manager. */
  linkMs: number
}

export interface DaemonCostOptions {
  /** main.mjs of the bundle. */
  main: string
  manager: SmallManager
  /** Of the state that is published; above any earlier one of this manager. */
  revision: number
  /** The program and its flags, up to the bundle: such as `['/usr/bin/node', '--disable-sigusr1']`. */
  node: readonly string[]
  env?: Readonly<Record<string, string>>
  /** Under it comes a directory that is removed afterwards. */
  directory: string
  freePort: () => Promise<number>
  /** Between link and measuring. */
  idleMs: number
}

const LIMIT_MS = 60_000
const clock = systemClock

/** The LAN is one of mode proxy on loopback; a first start enrols and stores it, the second one is measured. */
export async function measureDaemon(options: DaemonCostOptions): Promise<DaemonCost> {
  const { main, manager, revision, node, env, freePort, idleMs } = options
  const directory = mkdtempSync(join(options.directory, 'cost-'))
  const file = join(directory, 'bridgehead.json')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify({ manager: manager.url, token: 'one-time-token-0123456789' }))
  const dhcp = await freePort()
  const ports = `dhcp=${dhcp},pxe=${await freePort()},dns=${await freePort()},tftp=${await freePort()},http=${await freePort()}`
  await manager.publish(revision, { name: 'lan', subnet: '127.0.0.0/8', address: '127.0.0.1', mode: 'proxy' })

  const start = () => {
    const [program = '', ...flags] = node
    const child = spawn(program, [...flags, main, '--config', file, '--data', join(directory, 'site')], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env, BRIDGEHEAD_PORTS: ports },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (part) => {
      said += part
    })
    const gone = new Promise<void>((resolve) => child.on('close', () => resolve()))
    const has = (event: string) => said.includes(`"event":"${event}"`)
    const began = performance.now()
    const until = async (what: string, ready: () => boolean) => {
      while (!ready()) {
        if (child.exitCode !== null || performance.now() - began > LIMIT_MS)
          throw new Error(`the daemon came to no ${what}; it said:\n${said.slice(-2000)}`)
        await clock.sleep(2)
      }
      return performance.now() - began
    }
    const end = async () => {
      child.kill('SIGTERM')
      await gone
    }
    return { pid: child.pid ?? 0, has, until, end, gone }
  }

  try {
    const first = start()
    await first.until('state', () => first.has('state.applied'))
    await first.end()
    const second = start()
    try {
      const dhcpMs = await second.until('DHCP socket', () => isOpen(dhcp))
      const dhcpCpuMs = cpuMs(second.pid)
      const linkMs = await second.until('link', () => second.has('link.up'))
      await clock.sleep(idleMs)
      return { memory: memoryOf(second.pid), dhcpMs: Math.round(dhcpMs), dhcpCpuMs, linkMs: Math.round(linkMs) }
    } finally {
      await second.end()
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Whether some socket of this network namespace has the UDP port. */
function isOpen(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return readFileSync('/proc/net/udp', 'utf8').includes(`:${hex} `)
}

function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold spaces
  return (Number(fields[11]) + Number(fields[12])) * 10
}
