import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '@bridgehead/shared/log.ts'
import { execa } from 'execa'
import { labNames } from './names.ts'
import { createNode, ipIn, type LabNode } from './node.ts'
import type { Running } from './processes.ts'
import { INTERNET, type LabSite, layInternet, laySite, type SiteDeps } from './site.ts'
import { remove, removeTunnelSockets, sweepDeadLabs } from './sweep.ts'

/** One manager on an internet of its own, and one or two sites behind NAT routers; both sites have the same subnet. */
export interface Lab {
  readonly manager: LabNode
  readonly sites: readonly LabSite[]
  /** Temporary directory of this lab; removed by `close`. */
  readonly directory: string
  /** A WireGuard interface name of this lab, at most 15 characters. Its socket is removed at the end. */
  tunnel(role: string): string
  /** Ends every process of the lab, the last started first, and removes what it made. Twice is harmless. */
  close(): Promise<void>
}

const open = new Set<() => void>()
let labs = 0

/** Throws when this process may not make network namespaces; see `withPrivilege`. */
export async function createLab({ sites, log }: { sites: 1 | 2; log: Log }): Promise<Lab> {
  const swept = sweepDeadLabs()
  if (swept.length > 0) log.info('lab.swept', { names: swept })
  const prefix = `${process.pid}-${labs}`
  const names = labNames(process.pid, labs++)
  const processes: Running[] = []
  const tunnels = new Set<string>()
  const removeAll = () => {
    remove((name) => name.startsWith(`bhlab-${prefix}-`))
    removeTunnelSockets([...tunnels])
  }
  open.add(removeAll)
  guardExit()
  const directory = mkdtempSync(join(tmpdir(), names.directory))

  const deps: SiteDeps = {
    directory,
    async add(role, address) {
      const namespace = names.namespace(role)
      await execa('ip', ['netns', 'add', namespace])
      await ipIn(namespace, ['link set lo up'])
      return createNode({ role, namespace, address, onSpawn: (running) => processes.push(running) })
    },
  }
  const lab = {
    directory,
    tunnel(role: string) {
      const name = names.tunnel(role)
      tunnels.add(name)
      return name
    },
    async close() {
      for (const running of processes.splice(0).reverse()) await running.end()
      removeAll()
      open.delete(removeAll)
    },
  }
  try {
    const internet = await layInternet(deps)
    const manager = await internet.attach('m', INTERNET.manager)
    const built: LabSite[] = []
    for (let index = 1; index <= sites; index++) built.push(await laySite(deps, internet, index))
    log.debug('lab.ready', { sites, directory })
    return { ...lab, manager, sites: built }
  } catch (error) {
    await lab.close()
    throw error
  }
}

let guarded = false
let stop: (() => void) | undefined

/** Resolves at the first SIGINT, SIGTERM or SIGHUP, which then do not end this process. Needs a lab. */
export function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    stop = resolve
  })
}

/** Whatever way this process ends, short of kill -9, takes its labs along. After kill -9 the next lab sweeps. */
function guardExit(): void {
  if (guarded) return
  guarded = true
  process.on('exit', () => {
    for (const removeAll of open) removeAll()
  })
  // Not `once`: a second signal (terminals signal the whole group) would find Node's default, which ends without cleaning up.
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const)
    process.on(signal, () => {
      if (stop) stop()
      else process.exit(128 + number)
    })
}
