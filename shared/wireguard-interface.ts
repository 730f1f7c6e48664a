import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { runProgram, startProgram } from './program.ts'
import type { Running } from './supervise.ts'

/** The tunnel could not be made or changed; the message says what to do. */
export class TunnelError extends Error {
  readonly code = 'tunnel'
}

/** wireguard-go's control socket, one per interface name and machine. */
const socketOf = (name: string) => `/var/run/wireguard/${name}.sock`
const PACKAGES: Record<string, string> = { wg: 'wireguard-tools', ip: 'iproute2', 'wireguard-go': 'wireguard-go' }
/** Also where a plain user's PATH has no /usr/sbin. */
const environment = () => ({ PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` })

/** Runs `wg` or `ip`; returns its standard output. Throws TunnelError with the program's own words. */
export async function run(file: 'wg' | 'ip', args: readonly string[]): Promise<string> {
  const ended = await runProgram(file, args, { env: environment() })
  if (!ended.failed) return ended.stdout
  if (ended.code === 'ENOENT') throw new TunnelError(`${file} is not installed: apt-get install ${PACKAGES[file]}`)
  const said = ended.stderr.trim() || ended.how
  const why = /not permitted|denied/i.test(said) ? `${said} (needs root, or CAP_NET_ADMIN)` : said
  throw new TunnelError(`${file} ${args.join(' ')}: ${why}`)
}

/** What kind the interface is (`wireguard`, `tun`, `bridge`, ...); undefined when there is none of that name. */
export async function kindOf(name: string): Promise<string | undefined> {
  const shown = await runProgram('ip', ['-d', '-j', 'link', 'show', 'dev', name], { env: environment() })
  if (shown.exitCode !== 0) return undefined
  const links: { linkinfo?: { info_kind?: string } }[] = JSON.parse(shown.stdout)
  return links[0]?.linkinfo?.info_kind ?? 'device'
}

/** Removes what a killed process left: with the interface, its wireguard-go goes too. */
export async function removeInterface(name: string, clock: Clock): Promise<void> {
  const kind = await kindOf(name)
  if (kind === undefined) return
  if (kind !== 'wireguard' && kind !== 'tun')
    throw new TunnelError(`there is an interface ${name} already, and it is a ${kind}; choose another name`)
  await run('ip', ['link', 'delete', 'dev', name])
  for (let waited = 0; existsSync(socketOf(name)) && waited < 3_000; waited += 50) await clock.sleep(50)
}

/** Undefined where the kernel has no WireGuard. */
export async function startKernel(name: string, clock: Clock): Promise<Running | undefined> {
  try {
    await run('ip', ['link', 'add', 'dev', name, 'type', 'wireguard'])
  } catch (error) {
    if (error instanceof TunnelError && /unknown device type|not supported/i.test(error.message)) return undefined
    throw error
  }
  return watchInterface(name, clock)
}

/** An interface that lives without a child of ours: in the kernel, or served by the wireguard-go of an earlier process. */
export function watchInterface(name: string, clock: Clock): Running {
  const { promise: gone, resolve } = Promise.withResolvers<string>()
  const endWatch = clock.every(5_000, async () => {
    if ((await kindOf(name)) === undefined) resolve('the interface was removed')
  })
  const end = async () => {
    await removeInterface(name, clock)
    resolve('ended')
  }
  void gone.then(endWatch)
  return { pid: undefined, gone, end }
}

/** wireguard-go in the foreground; resolves once it takes orders. */
export async function startUserspace(name: string, { log, clock }: { log: Log; clock: Clock }): Promise<Running> {
  if (!existsSync('/dev/net/tun'))
    throw new TunnelError('neither WireGuard in the kernel nor /dev/net/tun: load a module (modprobe wireguard, or modprobe tun)')
  const child = startProgram('wireguard-go', ['-f', name], {
    env: { ...environment(), LOG_LEVEL: 'error', WG_PROCESS_FOREGROUND: '1' },
    detached: true, // Ctrl-C is for our process alone, which then ends it in order
    read: ['stdout', 'stderr'],
  })
  const last: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface({ input: stream }).on('line', (line) => {
      if (/^[│┌└]/.test(line)) return // the banner that recommends the kernel's module
      last.push(line)
      if (last.length > 3) last.shift()
      log.debug('tunnel.line', { interface: name, line })
    })
  }
  let ended: string | undefined
  const gone = child.gone.then((result) => {
    ended = result.code === 'ENOENT' ? `wireguard-go is not installed: apt-get install ${PACKAGES['wireguard-go']}` : result.how
    return ended
  })
  const end = () => child.end()
  for (let waited = 0; ended === undefined && waited < 10_000; waited += 50) {
    if (existsSync(socketOf(name)) && (await kindOf(name)) !== undefined) return { pid: child.pid, gone, end }
    await clock.sleep(50)
  }
  await end()
  throw new TunnelError(explain(name, ended ?? 'it did not answer within 10 s', last))
}

function explain(name: string, ended: string, lines: readonly string[]): string {
  const said = lines.join(' | ')
  if (/in use/.test(said))
    return `wireguard-go serves an interface ${name} already, perhaps in another network namespace; choose another name (${said})`
  if (/not permitted|denied/i.test(said))
    return `wireguard-go may not make the interface ${name}: needs root, or CAP_NET_ADMIN and /dev/net/tun (${said})`
  return `wireguard-go ${name}: ${ended}${said === '' ? '' : ` (${said})`}`
}
