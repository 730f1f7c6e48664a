import { join } from 'node:path'
import { autoexecScript } from '@bridgehead/shared/boot/scripts.ts'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { contains, type Ipv4 } from '@bridgehead/shared/model/address.ts'
import { type ArtifactRef, artifactsOf, type SiteState } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Config } from './config.ts'
import { restoreLeases } from './distributors/dhcp/restore.ts'
import { createDhcpServer } from './distributors/dhcp/server.ts'
import { createDnsServer } from './distributors/dns/server.ts'
import { bootRoutes } from './distributors/pxe/boot-routes.ts'
import { createBootHttp } from './distributors/pxe/http.ts'
import type { LanFile, LanFileKind } from './distributors/pxe/lan-http.ts'
import { createTftpServer } from './distributors/pxe/tftp.ts'
import { tftpFileAt, tftpFileOf } from './distributors/pxe/tftp-files.ts'
import { takeOrder } from './distributors/ssh/orders.ts'
import { createSshRunner } from './distributors/ssh/runner.ts'
import { createConnect } from './distributors/ssh/session.ts'
import type { SiteKey } from './distributors/ssh/site-key.ts'
import { createHostEngine } from './hosts/engine.ts'
import { createInstalls } from './hosts/install.ts'
import { followNames } from './names.ts'
import type { Outbox } from './store/outbox.ts'
import type { Store } from './store/store.ts'
import type { HealthReport } from './system/health.ts'
import type { Listening } from './system/self-tests.ts'
import { createBundleInbox } from './uplink/bundle/inbox.ts'
import { createArtifactCache } from './uplink/cache/cache.ts'
import type { ArtifactSource } from './uplink/cache/fetch.ts'
import { createCommandTaker } from './uplink/command-taker.ts'
import { type EnrolDeps, enrol } from './uplink/enrol.ts'
import { readHardware } from './uplink/hardware.ts'
import type { Identity } from './uplink/identity.ts'
import { createLink, type Link } from './uplink/link.ts'
import { type Adoption, readSite } from './uplink/membership.ts'
import { createOverlay } from './uplink/overlay.ts'
import { redisBus } from './uplink/redis-bus.ts'
import { createStateKeeper, type StateKeeper } from './uplink/state-keeper.ts'
import { createUplink } from './uplink/uplink.ts'

export interface ApplianceDeps {
  config: Config
  version: string
  identity: Identity
  /** Opens the site's hosts by SSH. */
  siteKey: SiteKey
  store: Store
  outbox: Outbox
  log: Log
  clock: Clock
  newId: NewId
  newToken: () => string
  random: () => number
  /** What a flashed box adds to the enrolment: settings that change, screens. */
  enrolment?: Pick<EnrolDeps, 'writeConfig' | 'onProgress' | 'onDate'> & { config?: EnrolDeps['config'] }
  /** Called with each state that is applied, the stored one first, before the services get it: they listen on addresses of its LANs. */
  prepare?: (state: SiteState) => Promise<void>
  /** Called once they have it. */
  onState?: (state: SiteState) => void
  /** What the self-tests found last; the manager is told. */
  health?: () => HealthReport
  /** Calls back when the way to the manager has changed. */
  onUplink?: (listener: () => void) => void
}

export interface Appliance {
  /** What serves the LAN from what the store holds, in the order in which they start: before anything else, for a LAN may be waiting. */
  lanServices: readonly Service[]
  /** All other parts, in the order in which they start. */
  services: readonly Service[]
  state(): SiteState | undefined
  /** `none`: this box belongs to no manager. */
  uplink(): 'ok' | 'down' | 'none'
  /** Where artifacts come from now. */
  source(): ArtifactSource | undefined
  /** Keys that may sign a state. */
  trusted(): ReturnType<StateKeeper['trusted']>
  listening(): Listening
  leases(): number
  counters(): Record<string, number>
}

/** Makes every part of the appliance. Constructing them has no side effects. */
export function createAppliance(deps: ApplianceDeps): Appliance {
  const { config, version, identity, siteKey, store, outbox, log, clock, newId, newToken, random } = deps
  const engine = createHostEngine({ store, outbox, clock, log, newId, newToken, httpPort: config.ports.http })
  const installs = createInstalls({ store, outbox, clock, engine, siteKey: siteKey.publicLine })
  let reserved: ReadonlySet<Ipv4> = new Set()

  let source: ArtifactSource | undefined
  const cache = createArtifactCache({ store, outbox, clock, log, random, directory: join(config.data, 'artifacts'), source: () => source })
  const artifactOf = (kind: LanFileKind, id: string): ArtifactRef | undefined => {
    const state = engine.state()
    if (!state) return undefined
    if (kind === 'artifact') return artifactsOf(state).find((ref) => ref.sha256 === id)
    return Object.hasOwn(state.loaders, id) ? state.loaders[id] : undefined
  }
  const findFile = async (kind: LanFileKind, id: string): Promise<LanFile | undefined> => {
    const ref = artifactOf(kind, id)
    return ref && cache.file(ref.sha256)
  }
  const served = (kind: LanFileKind, id: string, transfer: { client: Ipv4; bytes: number; total: number; ms: number }) => {
    const ref = artifactOf(kind, id)
    const { client, bytes, total, ms } = transfer
    if (!ref) return
    engine
      .served({ ip: client, name: kind === 'loader' ? id : ref.name, sha256: ref.sha256, bytes, total, ms })
      .catch((error) => log.warn('timeline.stage_lost', { client, name: id, error })) // the machine has its file all the same
  }

  const dhcp = createDhcpServer({
    store,
    outbox,
    clock,
    log,
    random,
    ports: config.ports,
    boot: {
      advise: engine.adviseInWrite,
      saw: engine.sawInWrite,
      reservation: engine.reservationInWrite,
      reserved: (ip) => reserved.has(ip),
    },
  })
  const tftp = createTftpServer({
    clock,
    log,
    port: config.ports.tftp,
    async find(name, client) {
      // iPXE asks for it when its loader came by TFTP; over HTTP it comes from the boot routes.
      const lan = name === 'autoexec.ipxe' && engine.state()?.lans.find((one) => contains(one.subnet, client))
      if (lan) return tftpFileOf(autoexecScript(engine.serverUrl(lan.address)))
      const file = await findFile('loader', name.replace(/^\/+/, ''))
      return file && tftpFileAt(file.path)
    },
    done({ name, client, bytes, ms, outcome }) {
      if (outcome === 'complete') served('loader', name, { client, bytes, total: bytes, ms })
    },
  })
  const http = createBootHttp({
    clock,
    log,
    port: config.ports.http,
    find: findFile,
    routes: bootRoutes({ ...engine, ...installs }),
    served: (transfer) => served(transfer.kind, transfer.id, transfer),
  })
  const dns = createDnsServer({ log, clock, port: config.ports.dns })

  const ssh = createSshRunner({
    store,
    outbox,
    log,
    clock,
    connect: createConnect({ privateKey: siteKey.privateKey, clock }),
    host: engine.sshTarget,
    random,
  })
  const names = followNames({
    clock,
    outbox,
    hosts: engine.names,
    leases: (lan) => dhcp.leases(lan),
    apply: (state, known) => dns.apply({ lans: state.lans, ...state.dns, names: known }),
  })
  const counters = () => ({
    ...prefixed('dhcp', dhcp.counters()),
    ...prefixed('tftp', tftp.counters()),
    ...prefixed('http', http.counters()),
    ...prefixed('dns', dns.counters()),
    ...prefixed('ssh', ssh.counters()),
  })
  const parts: Record<string, (state: SiteState) => void> = {
    dhcp: (state) => dhcp.apply(state.lans),
    tftp: (state) => tftp.apply(state.lans.map((lan) => lan.address)),
    http: (state) => http.apply(state.lans.map((lan) => lan.address)),
    dns: (state) => names.apply(state),
    cache: (state) => cache.want(artifactsOf(state)),
  }
  let preparing: Promise<void> | undefined
  const distribute = (state: SiteState) => {
    if (!deps.prepare) return hand(state)
    const before = preparing ?? Promise.resolve()
    preparing = before.then(() => deps.prepare?.(state)).then(() => hand(state))
  }
  let handed: SiteState | undefined
  const hand = (state: SiteState) => {
    handed = state
    reserved = new Set(state.hosts.flatMap((host) => host.ip ?? []))
    for (const [part, apply] of Object.entries(parts))
      try {
        apply(state)
      } catch (error) {
        log.error('distribute.failed', { part, revision: state.revision, error })
      }
    deps.onState?.(state)
  }

  let isMember = false
  let link: Link | undefined
  let states: StateKeeper | undefined
  let opening: Promise<StateKeeper> | undefined
  const open = async ({ site, managerKeys }: Adoption) => {
    states = createStateKeeper({ site, managerKeys, applyInWrite: engine.applyInWrite, store, outbox, log })
    states.onState(distribute)
    await states.load()
    return states
  }
  /** Once, whoever knows the site first: the store, a bundle or the enrolment. */
  const openSite = (site: Adoption) => {
    opening ??= open(site)
    return opening
  }
  /** Resolves once the LAN services know what to serve. */
  const storedSite: Service = {
    name: 'stored site',
    async start() {
      const site = readSite(store)
      if (site) await openSite(site)
      await preparing
    },
    async stop() {},
  }
  const bundles = createBundleInbox({ data: config.data, store, cache, openSite, clock, log })
  const uplink = createUplink({
    enrol: (signal) =>
      enrol({
        ...{ config, identity, hardware: readHardware(), version, store, clock, random, log, signal },
        restore: (db, leases) => restoreLeases(db, leases, clock.now()),
        ...deps.enrolment,
      }),
    async onMember(membership) {
      const { site, artifacts, secret } = membership
      isMember = true
      source = { url: artifacts, user: site, password: secret }
      await openSite(membership)
    },
    services(membership) {
      if (!states) throw new Error('a member has no state keeper')
      const overlay = createOverlay(membership, { identity, name: config.overlayInterface, log, clock })
      const { site, redis, secret } = membership
      const commands = createCommandTaker({
        site,
        trusted: states.trusted,
        handle: (command) => takeOrder(ssh, command),
        store,
        outbox,
        clock,
        log,
      })
      link = createLink({
        connect: redisBus({ site, host: redis.host, port: redis.port, username: redis.username, password: secret }),
        states,
        commands,
        store,
        outbox,
        clock,
        random,
        log,
        version,
        counters,
        health: deps.health,
        onUplink: deps.onUplink,
      })
      return overlay ? [overlay, link] : [link]
    },
    onUplink: deps.onUplink,
    clock,
    random,
    log,
  })

  return {
    lanServices: [storedSite, dhcp, dns, cache, tftp, http],
    services: [ssh, bundles, uplink],
    state: engine.state,
    uplink: () => (isMember ? (link?.up ? 'ok' : 'down') : 'none'),
    source: () => source,
    trusted: () => states?.trusted() ?? [],
    listening: () => ({
      wanted: handed?.lans.map((lan) => lan.address) ?? [],
      open: {
        dns: dns.listening().map((one) => one.address),
        tftp: tftp.bound().map((one) => one.address),
        http: http.bound().map((one) => one.address),
      },
      dhcpClosed: dhcp.closed(),
    }),
    leases: () => engine.state()?.lans.reduce((sum, lan) => sum + dhcp.leases(lan.name).length, 0) ?? 0,
    counters,
  }
}

function prefixed(part: string, counters: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counters).flatMap(([name, count]) => (typeof count === 'number' ? [[`${part}.${name}`, count]] : [])),
  )
}
