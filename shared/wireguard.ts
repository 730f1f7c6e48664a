import { readFile, rm, writeFile } from 'node:fs/promises'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { secretFile } from './secret-file.ts'
import type { Service } from './service.ts'
import { type Running, type Supervisor, supervise } from './supervise.ts'
import { createResolver } from './wireguard-endpoint.ts'
import { kindOf, removeInterface, run, startKernel, startUserspace, TunnelError, watchInterface } from './wireguard-interface.ts'
import {
  formatConfig,
  generateKeyPair,
  keyPairOf,
  parseDump,
  routesFor,
  type WireguardKeys,
  type WireguardPeer,
  type WireguardStatus,
} from './wireguard-text.ts'

export { TunnelError } from './wireguard-interface.ts'
export {
  generateKeyPair,
  parseDump,
  type WireguardKeys,
  type WireguardPeer,
  type WireguardPeerStatus,
  type WireguardStatus,
} from './wireguard-text.ts'

export interface TunnelOptions {
  /** Interface name, at most 15 characters. One wireguard-go per name on a machine, whatever the network namespace. */
  name: string
  /** Own address with prefix length, such as `fd00:1:2:3::1/64`. */
  address: string
  /** File of mode 0600 that holds the private key in base64; see `keysIn`. */
  privateKeyFile: string
  listenPort?: number | undefined
  mtu?: number | undefined
  peers: readonly WireguardPeer[]
}

/** A WireGuard interface, made on `start`, kept alive, removed on `stop`. */
export interface Tunnel extends Service {
  /** `kernel` where the module is there, else `userspace` (wireguard-go); undefined while down. */
  readonly kind: 'kernel' | 'userspace' | undefined
  /** Replaces all peers; sessions of those that stay live on. Remembered across restarts; harmless while down. */
  setPeers(peers: readonly WireguardPeer[]): Promise<void>
  /** Throws TunnelError while down. */
  dump(): Promise<WireguardStatus>
}

/** Room for WireGuard over IPv6 (80 bytes) on a line of 1460 bytes, such as PPPoE with a tag or two. */
const MTU = 1380
const CHECK_MS = 30_000
/** Sessions renew their keys every 2 minutes while anything is sent (keepalives too); older means that the peer is not reached. */
const STALE_MS = 150_000

/** Reads the private key at `path`, or makes one there (mode 0600), and returns both halves. */
export async function keysIn(path: string): Promise<WireguardKeys> {
  return keyPairOf(await secretFile(path, () => generateKeyPair().privateKey))
}

export function createTunnel(options: TunnelOptions, { log, clock }: { log: Log; clock: Clock }): Tunnel {
  const { name, address } = options
  const resolve = createResolver(log)
  let peers = options.peers
  let kind: Tunnel['kind']
  let supervisor: Supervisor | undefined
  let endChecks = () => {}
  /** One change of the interface at a time. */
  let queue: Promise<void> = Promise.resolve()

  async function configure(how: 'setconf' | 'syncconf'): Promise<void> {
    const { privateKey } = keyPairOf((await readFile(options.privateKeyFile, 'utf8')).trim())
    // Without a port of its own, syncconf would move to another one.
    const listenPort = options.listenPort ?? (how === 'setconf' ? undefined : Number(await run('wg', ['show', name, 'listen-port'])))
    const resolved = await Promise.all(peers.map(async (peer) => ({ ...peer, endpoint: peer.endpoint && (await resolve(peer.endpoint)) })))
    // In a file, because arguments are there for everybody to see (and wg does not read what Node gives as standard input, a socket).
    const file = `${options.privateKeyFile}.${name}.conf`
    try {
      await rm(file, { force: true })
      await writeFile(file, formatConfig({ privateKey, listenPort, peers: resolved }), { mode: 0o600, flag: 'wx' })
      await run('wg', [how, name, file])
    } finally {
      await rm(file, { force: true })
    }
  }

  /** Routes of peers that are gone stay: they lead into a tunnel that drops what is for nobody. */
  async function addRoutes(): Promise<void> {
    for (const network of routesFor(address, peers)) await run('ip', ['route', 'replace', network, 'dev', name])
  }

  /**
   * What a killed process of ours left running goes on as it is, so that its sessions live. Only with our key and port, and only if
   * it answers; anything else of that name is replaced.
   */
  async function adopt(): Promise<Running | undefined> {
    if ((await kindOf(name)) === undefined) return undefined
    const { publicKey } = keyPairOf((await readFile(options.privateKeyFile, 'utf8')).trim())
    const found = await run('wg', ['show', name, 'dump']).then(parseDump, () => undefined)
    const ours = found?.publicKey === publicKey && (options.listenPort === undefined || found.listenPort === options.listenPort)
    if (ours) return watchInterface(name, clock)
    await removeInterface(name, clock)
    return undefined
  }

  async function launch(): Promise<Running> {
    const adopted = await adopt()
    const running = adopted ?? (await startKernel(name, clock)) ?? (await startUserspace(name, { log, clock }))
    try {
      if (!adopted) await configure('setconf')
      else if (peers.length > 0) await configure('syncconf') // none yet: the old ones stay until setPeers
      await run('ip', ['address', 'replace', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : [])])
      await run('ip', ['link', 'set', name, 'mtu', String(options.mtu ?? MTU), 'up'])
      await addRoutes()
    } catch (error) {
      await running.end()
      throw error
    }
    kind = (await kindOf(name)) === 'wireguard' ? 'kernel' : 'userspace'
    void running.gone.then(() => {
      kind = undefined
    })
    log.info('tunnel.up', { interface: name, kind, address, adopted: adopted !== undefined, peers: peers.length })
    return running
  }

  /** Looks up names of endpoints anew when their peer is out of reach: its address may have changed, or had not been known. */
  async function check(): Promise<void> {
    if (kind === undefined || !peers.some((peer) => peer.endpoint !== undefined)) return
    const status = parseDump(await run('wg', ['show', name, 'dump']))
    const dialled = new Set(peers.filter((peer) => peer.endpoint !== undefined).map((peer) => peer.publicKey))
    const lost = status.peers.filter((peer) => dialled.has(peer.publicKey) && clock.now() - (peer.handshakeAt ?? 0) > STALE_MS)
    if (lost.length === 0) return
    log.debug('tunnel.redial', { interface: name, peers: lost.length })
    await configure('syncconf')
  }

  const inTurn = (task: () => Promise<void>): Promise<void> => {
    const turn = queue.then(task)
    queue = turn.catch(() => undefined) // told to the caller of this turn; the next one starts afresh
    return turn
  }

  return {
    name: `tunnel ${name}`,
    get kind() {
      return kind
    },
    async start() {
      supervisor = supervise({ name: `wireguard ${name}`, launch: () => launch(), log, clock })
      await supervisor.start()
      endChecks = clock.every(CHECK_MS, () => {
        inTurn(check).catch((error) => log.warn('tunnel.check_failed', { interface: name, error }))
      })
    },
    async stop() {
      endChecks()
      await queue
      await supervisor?.stop()
      supervisor = undefined
    },
    async setPeers(next) {
      peers = next
      await inTurn(async () => {
        if (kind === undefined) return
        await configure('syncconf')
        await addRoutes()
      })
    },
    async dump() {
      if (kind === undefined) throw new TunnelError(`the tunnel ${name} is down`)
      return parseDump(await run('wg', ['show', name, 'dump']))
    },
  }
}
