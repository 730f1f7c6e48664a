import { randomInt } from 'node:crypto'
import type { Socket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { buildZone, type DnsConfig } from '@bridgehead/shared/dns/zone.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { contains } from '@bridgehead/shared/model/address.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { type Counters, createCounters } from './counters.ts'
import { createHandler } from './handler.ts'
import { createResolver, type ResolverLimits } from './resolver.ts'
import { systemForwarders } from './system.ts'
import { openTcp, type TcpLimits } from './tcp.ts'
import { openUdp } from './udp.ts'
import { createUpstream, parseServer, type Server } from './upstream.ts'

export interface DnsDeps {
  log: Log
  clock: Clock
  /** 53 unless told; 0 takes any (see `listening`). */
  port?: number | undefined
  /** Addresses of the machine's own name servers, used when the site names none. Reads /etc/resolv.conf unless told. */
  forwarders?: (() => readonly string[]) | undefined
  /** A random id of 16 bits. */
  random16?: (() => number) | undefined
  resolverLimits?: ResolverLimits | undefined
  tcpLimits?: TcpLimits | undefined
}

export interface DnsServer extends Service {
  /** Replaces the whole configuration. Sockets follow it; one that cannot be bound yet is tried again every 2 s. */
  apply(config: DnsConfig): void
  counters(): Counters & { inFlight: number; tcpConnections: number }
  /** Where it listens now. */
  listening(): { address: string; udp: number; tcp: number }[]
  /** Resolves once the sockets follow the last `apply`, as far as they can be bound. */
  settled(): Promise<void>
}

interface Listener {
  udp: Socket
  tcp: Awaited<ReturnType<typeof openTcp>>
}

const NOTHING: DnsConfig = { lans: [], zone: 'internal', forwarders: [], records: [], names: [] }
const RETRY_MS = 2000
const KNOWN_CLIENTS = 4096

/** The site's DNS server, over UDP and TCP on each LAN address. */
export function createDnsServer(deps: DnsDeps): DnsServer {
  const { log, clock, port = 53 } = deps
  const counters = createCounters()
  const ofMachine = deps.forwarders ?? systemForwarders(clock)
  const listeners = new Map<string, Listener>()
  const complained = new Set<string>()
  let problems: ReadonlySet<string> = new Set()
  let config = NOTHING
  let zone = buildZone(NOTHING, 0).zone
  let servers: { from: string; list: readonly Server[] } = { from: '', list: [] }
  let clients = new Map<string, boolean>()
  let running = false
  let work = Promise.resolve()
  let cancelRetry = () => {}

  const upstream = createUpstream({ clock, random16: deps.random16 ?? (() => randomInt(0x10000)), spoofed: () => void counters.spoofed++ })
  const resolver = createResolver({
    clock,
    log,
    upstream,
    servers: forwarders,
    counters,
    ...(deps.resolverLimits ? { limits: deps.resolverLimits } : {}),
  })
  const handler = createHandler({ zone: () => zone, resolver, counters, log })

  /** The configured ones, else the machine's; never ourselves, which would be a circle. */
  function forwarders(): readonly Server[] {
    const texts = config.forwarders.length > 0 ? config.forwarders : ofMachine()
    const from = texts.join()
    if (servers.from === from) return servers.list
    const own = new Set<string>(config.lans.map((lan) => lan.address))
    const list = texts.flatMap((text) => {
      const server = parseServer(text)
      if (!server) complain(`forwarder ${text}`, 'dns.bad_forwarder', { forwarder: text })
      return server && !(own.has(server.ip) && server.port === port) ? [server] : []
    })
    servers = { from, list }
    return list
  }

  function mayAsk(client: string): boolean {
    const known = clients.get(client)
    if (known !== undefined) return known
    const allowed = config.lans.some((lan) => contains(lan.subnet, client))
    if (clients.size >= KNOWN_CLIENTS) clients.clear()
    clients.set(client, allowed)
    return allowed
  }

  /** Logs a standing trouble once. */
  function complain(key: string, event: string, fields: Record<string, unknown>): void {
    if (complained.has(key)) return
    complained.add(key)
    log.warn(event, fields)
  }

  async function follow(): Promise<void> {
    const wanted = new Set<string>(running ? config.lans.map((lan) => lan.address) : [])
    for (const [address, listener] of listeners)
      if (!wanted.has(address)) {
        listeners.delete(address)
        await close(listener)
        log.info('dns.closed', { address })
      }
    let missing = false
    for (const address of wanted) {
      if (listeners.has(address)) continue
      try {
        listeners.set(address, await open(address))
        complained.delete(address)
        log.info('dns.listening', { address, port })
      } catch (error) {
        missing = true
        complain(address, 'dns.bind_failed', { address, port, error })
      }
    }
    cancelRetry()
    if (missing && running) cancelRetry = clock.after(RETRY_MS, schedule)
  }

  function schedule(): void {
    work = work.then(follow)
  }

  async function open(address: string): Promise<Listener> {
    const onError = (error: Error) => {
      counters.sendErrors++
      log.debug('dns.socket_error', { address, error })
    }
    const udp = await openUdp({
      address,
      port,
      onError,
      onQuery(bytes, client, send) {
        counters.udp++
        if (mayAsk(client)) handler.handle(bytes, 'udp', send)
        else handler.refuse(bytes, send)
      },
    })
    try {
      const tcp = await openTcp({
        address,
        port,
        clock,
        onError,
        mayAsk,
        ...(deps.tcpLimits ? { limits: deps.tcpLimits } : {}),
        onOpen: () => void counters.tcpOpened++,
        onRefused: () => void counters.tcpRefused++,
        onQuery(bytes, send) {
          counters.tcp++
          return handler.handle(bytes, 'tcp', send)
        },
      })
      return { udp, tcp }
    } catch (error) {
      await new Promise<void>((done) => udp.close(done))
      throw error
    }
  }

  return {
    name: 'dns',
    async start() {
      running = true
      schedule()
      await work
    },
    async stop() {
      running = false
      cancelRetry()
      schedule()
      await work
    },
    apply(next) {
      const built = buildZone(next, Math.floor(clock.now() / 1000))
      if (JSON.stringify(next.forwarders) !== JSON.stringify(config.forwarders)) resolver.clear()
      config = next
      zone = built.zone
      servers = { from: '', list: [] }
      clients = new Map()
      handler.clear()
      // each lease that comes or goes applies anew: say only what was not said before
      const said = problems
      problems = new Set(built.problems.map((problem) => JSON.stringify(problem)))
      for (const problem of built.problems) if (!said.has(JSON.stringify(problem))) log.warn('dns.record_left_out', { ...problem })
      schedule()
    },
    counters: () => ({
      ...counters,
      inFlight: resolver.inFlight(),
      tcpConnections: [...listeners.values()].reduce((sum, { tcp }) => sum + tcp.open(), 0),
    }),
    listening: () =>
      [...listeners].map(([address, { udp, tcp }]) => ({
        address,
        udp: udp.address().port,
        tcp: (tcp.server.address() as AddressInfo).port,
      })),
    settled: () => work,
  }
}

async function close({ udp, tcp }: Listener): Promise<void> {
  await Promise.all([new Promise<void>((done) => udp.close(done)), tcp.close()])
}
