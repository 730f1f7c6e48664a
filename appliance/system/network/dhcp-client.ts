import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { startProgram } from '@bridgehead/shared/program.ts'
import type { UplinkLease } from './plan.ts'
import { createNewsReader, UDHCPC_SCRIPT } from './udhcpc.ts'

/** A DHCP client on one device: busybox' udhcpc, kept running. */
export interface DhcpClient {
  readonly device: string
  readonly lease: UplinkLease | undefined
  /** Since when nobody answers, epoch ms; undefined while somebody does, or before the first three tries are over. */
  readonly unansweredSince: number | undefined
  /** Asks at once: the cable came back. */
  renew(): void
  /** `forget`: the device is given up; else the next daemon of this boot goes on with the lease. */
  stop(how: { forget: boolean }): Promise<void>
}

export interface DhcpClientDeps {
  /** For the script, the process's number, and the lease that a new daemon goes on with. */
  directory: string
  /** Shown by the router. */
  hostname: string
  clock: Clock
  log: Log
  onChange: () => void
}

const RESTART_MS = 2_000
const OPTIONS = ['subnet', 'router', 'dns', 'ntpsrv', 'staticroutes', 'lease']

export function startDhcpClient(device: string, { directory, hostname, clock, log, onChange }: DhcpClientDeps): DhcpClient {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const script = join(directory, 'udhcpc.sh')
  const pidFile = join(directory, `udhcpc.${device}.pid`)
  const leaseFile = join(directory, `lease.${device}.json`)
  writeFileSync(script, UDHCPC_SCRIPT, { mode: 0o700 })
  endStale(pidFile)
  const stopping = new AbortController()
  let lease = restore(leaseFile, clock.now())
  let unansweredSince: number | undefined
  let child: ReturnType<typeof launch> | undefined

  const keep = () => {
    if (lease) writeFileSync(leaseFile, JSON.stringify(lease), { mode: 0o600 })
    else rmSync(leaseFile, { force: true })
  }
  const launch = () =>
    startProgram(
      'busybox',
      [
        ...['udhcpc', '-f', '-i', device, '-s', script, '-p', pidFile, '-t', '3', '-T', '3', '-A', '10', '-x', `hostname:${hostname}`],
        ...OPTIONS.flatMap((option) => ['-O', option]),
        ...(lease ? ['-r', lease.ip] : []),
      ],
      {
        env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/bin` },
        read: ['stdout'],
      },
    )
  const hear = (news: ReturnType<ReturnType<typeof createNewsReader>>, isFirst: boolean) => {
    if (!news || stopping.signal.aborted) return
    if (news.kind === 'lease') {
      if (lease?.ip !== news.lease.ip)
        log.info('network.lease', { device, ip: news.lease.ip, prefix: news.lease.prefix, router: news.lease.router })
      lease = news.lease
      unansweredSince = undefined
    } else if (news.kind === 'unanswered') {
      if (unansweredSince === undefined) log.warn('network.no_dhcp', { device })
      unansweredSince ??= clock.now()
    } else {
      if (isFirst || !lease) return // it says so before it first asks; what an earlier client got still holds
      log.warn('network.lease_lost', { device, ip: lease.ip })
      lease = undefined
    }
    keep()
    onChange()
  }
  const run = async () => {
    while (!stopping.signal.aborted) {
      child = launch()
      const read = createNewsReader(() => clock.now())
      let isFirst = true
      const lines = child.stdout && createInterface({ input: child.stdout })
      lines?.on('line', (line) => {
        const news = read(line)
        if (!news) return
        hear(news, isFirst)
        isFirst = false
      })
      const { how } = await child.gone
      if (stopping.signal.aborted) break
      log.warn('network.dhcp_client_gone', { device, how })
      await clock.sleep(RESTART_MS, stopping.signal)
    }
  }
  const running = run()

  return {
    device,
    get lease() {
      return lease
    },
    get unansweredSince() {
      return unansweredSince
    },
    renew: () => void child?.signal('SIGUSR1'),
    async stop({ forget }) {
      stopping.abort()
      void child?.end(2_000)
      await running
      if (forget) rmSync(leaseFile, { force: true })
      rmSync(pidFile, { force: true })
    },
  }
}

/** What an earlier daemon of this boot got, if it still holds: addresses stay while a daemon starts anew. */
function restore(path: string, now: number): UplinkLease | undefined {
  try {
    const lease = JSON.parse(readFileSync(path, 'utf8')) as UplinkLease // our own file
    return lease.until > now ? lease : undefined
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error && error.code === 'ENOENT')) return undefined
    throw error
  }
}

/** A daemon that was killed leaves its client behind. */
function endStale(pidFile: string): void {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'))
    if (pid > 1 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('udhcpc')) process.kill(pid, 'SIGTERM')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ENOENT' && code !== 'ESRCH') throw error
  }
}
