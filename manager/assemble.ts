import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { PrivateKey } from '@bridgehead/shared/model/signed.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { Hono } from 'hono'
import { answerErrors, createApi } from './api/app.ts'
import { artifactsOfRelease } from './appliances/releases.ts'
import { applianceState, createApplianceRoom, type ImageEngines } from './appliances/room.ts'
import { audited } from './audit/middleware.ts'
import { auditRoutes } from './audit/routes.ts'
import { createAttempts } from './auth/attempts.ts'
import type { Auth } from './auth/auth.ts'
import { memberRoutes } from './auth/member-routes.ts'
import { apiKeyRoutes } from './auth/routes.ts'
import { sessionRoutes } from './auth/session-routes.ts'
import type { Setup } from './auth/setup.ts'
import { setupRoutes } from './auth/setup-routes.ts'
import { createFeed } from './distributors/feed.ts'
import { createIngest, type Ingest } from './distributors/ingest.ts'
import { distributorRoutes } from './distributors/routes.ts'
import type { App } from './engines/http/app.ts'
import type { Db, Tx } from './engines/store/store.ts'
import { handlersOf } from './fact-handlers.ts'
import { getHost, type HostSurroundings, hostSpecs, listHosts, resolveHost } from './registries/hosts.ts'
import { keysFor } from './registries/keys.ts'
import { profileUsers } from './registries/profile-users.ts'
import { registryRoutes } from './registries/routes.ts'
import { rulesFor } from './registries/rules.ts'
import { findProfile, stateParts } from './scripts/records.ts'
import { scriptRoutes } from './scripts/routes.ts'
import { expireRuns } from './scripts/runs.ts'
import { runRoutes } from './scripts/runs-routes.ts'
import { type ApplianceWorld, createAppliances } from './sites/appliances.ts'
import { createCommands } from './sites/commands.ts'
import { usedProfiles } from './sites/compile.ts'
import { enrolRoutes } from './sites/enrol-routes.ts'
import { explainRoutes } from './sites/explain-routes.ts'
import { impatient, type ReadPresences } from './sites/online.ts'
import { createPublisher } from './sites/publisher.ts'
import { findSite, findSiteById, getSite, listSites, type SiteRow } from './sites/records.ts'
import { siteRoutes } from './sites/routes.ts'
import { uplinkRoutes } from './sites/uplink-routes.ts'
import { siteViewRoutes } from './sites/view-routes.ts'

/** What the categories need of the engines. */
export interface Engines {
  db: Db
  auth: Auth
  setup: Setup
  /** Newest first; the first one signs. */
  signingKeys: readonly [PrivateKey, ...PrivateKey[]]
  bus: {
    publishState(site: string, jws: string, revision: number): Promise<void>
    sendCommand(site: string, jws: string): Promise<unknown>
    presences: ReadPresences
    removeSite(site: string): Promise<void>
  }
  world: Omit<ApplianceWorld, 'managerKeys'>
  /** The event consumer follows the sites. */
  watch: { watch(site: string): void; unwatch(site: string): void }
  presign(sha256: string, name: string): Promise<string | undefined>
  /** Size of an artifact in the bucket. */
  artifactBytes(sha256: string): Promise<number | undefined>
  /** Loader files of every site, by name. */
  loaders(): Promise<Record<string, ArtifactRef>>
  /** Appliance images: made by jobs, kept in the bucket. */
  images: ImageEngines<unknown>
  dial: { manager: string; fingerprint?: string | undefined }
  /** Parts of the API that need nothing of the others, such as images. */
  parts: readonly App[]
  /** The console; before all other pages. */
  pages: readonly Hono[]
  /** What anybody may ask for: presigned downloads, short links. */
  downloads: readonly Hono[]
  random: (bytes: number) => Uint8Array
  newId: NewId
  clock: Clock
  log: Log
  version: string
}

export interface Manager {
  app: App
  /** For appliances: artifacts; the caller mounts the bucket's presigned downloads on it. */
  uplink: Hono
  ingest: Ingest
  /** To be started after the bus. */
  services: readonly Service[]
  /** To be started last, so that it stops first: it ends the live streams, for which the listeners would wait. */
  feed: Service
  /** Redis users, overlay peers, states and orders, as the database has them: after Redis was lost, and at start. */
  restore(): Promise<void>
  /** Sites' loader files have changed. */
  loadersChanged(): Promise<void>
  /** A site's newest state as compact JWS, once everything that was changed so far is in it. */
  signedState(site: string): Promise<string | undefined>
}

const EXPIRE_MS = 30_000

/** Joins the categories with each other and with the engines. Constructs only; nothing runs before `services` are started. */
export function assemble(engines: Engines): Manager {
  const { db, auth, setup, bus, clock, newId, log } = engines
  const [signingKey] = engines.signingKeys
  const managerKeys = engines.signingKeys.map(({ d: _, ...key }) => key)
  const { overlay } = engines.world

  const publisher = createPublisher({
    db,
    inputs: (tx, site) => stateInputs(tx, site, { managerKeys, signingKey, loaders: engines.loaders }),
    publish: bus.publishState,
    signingKey,
    clock,
    log,
  })
  const commands = createCommands({ db, signingKey, send: bus.sendCommand, newId, clock, log })
  const appliances = createAppliances({ db, world: { ...engines.world, managerKeys }, random: engines.random, newId, clock, log })
  const { newToken } = appliances
  const room = createApplianceRoom({ ...engines, engines: engines.images, changes: publisher, newToken })
  const feed = createFeed({ clock })
  const presences = impatient(bus.presences, clock)
  const around: HostSurroundings = {
    findSite,
    listSites,
    findProfile: async (tx, organisation, idOrName) => (await findProfile(tx, organisation, idOrName))?.id,
  }

  const ingest = createIngest({
    db,
    handlers: handlersOf(
      room.rollouts.touch,
      async (tx, command) => {
        const row = await tx.selectFrom('commands').select('jws').where('id', '=', command).executeTakeFirst()
        return row?.jws
      },
      managerKeys,
    ),
    organisationOf: async (tx, site) => (await findSiteById(tx, site))?.organisation,
    resolveHost,
    changes: publisher,
    onStored() {
      feed.wake()
      room.rollouts.kick()
    },
    clock,
    log,
  })

  const app: App = createApi({
    principal: auth.principal,
    authHandler: auth.handle,
    audited: audited({ db, principal: auth.principal, clock }),
    parts: [
      enrolRoutes({ appliances, organisationOf: async (site) => (await findSiteById(db, site))?.organisation }),
      apiKeyRoutes({ auth }),
      sessionRoutes({ auth }),
      memberRoutes({ auth, publicUrl: engines.dial.manager }),
      auditRoutes({ db }),
      siteRoutes({
        db,
        appliances,
        publisher,
        dial: engines.dial,
        overlayAddress: (subnet) => overlay?.siteNetwork(subnet).cidr.replace(/\/.*/, ''),
        onSite: async (site, what) => {
          if (what === 'made') return engines.watch.watch(site)
          engines.watch.unwatch(site)
          await engines.world.deleteSiteUser(site)
          await bus.removeSite(site)
          await appliances.restorePeers()
        },
        tries: createAttempts({ clock }),
        presences,
        newId,
        clock,
      }),
      siteViewRoutes({ db, presences, clock }),
      registryRoutes({ db, around, changes: publisher, newId, clock }),
      explainRoutes({ db, publisher, getHost: (organisation, id) => getHost(db, around, organisation, id) }),
      scriptRoutes({ db, changes: publisher, usersOf: profileUsers, artifactBytes: engines.artifactBytes, newId, clock }),
      runRoutes({
        db,
        selectHosts: async (tx, organisation, by) => {
          const hosts = await listHosts(tx, around, organisation, 'selector' in by ? { selector: by.selector } : {})
          const wanted = 'hosts' in by ? new Set(by.hosts) : undefined
          const tags = new Map((await listSites(tx, organisation)).map((site) => [site.id, site.tags]))
          return hosts
            .filter((host) => !host.retired && (wanted === undefined || wanted.has(host.id)))
            .map(({ id, name, site, siteName }) => ({ id, name, site, siteName, siteTags: tags.get(site) ?? {} }))
        },
        addCommand: commands.add,
        sendCommands: commands.kick,
        newId,
        clock,
      }),
      distributorRoutes({
        db,
        feed,
        checkHost: async (organisation, id) => void (await getHost(db, around, organisation, id)),
        siteId: async (organisation, idOrName) => (await getSite(db, organisation, idOrName)).id,
      }),
      ...room.parts,
      ...engines.parts,
    ],
    outside: [...engines.pages, setupRoutes({ setup }), ...engines.downloads],
    version: engines.version,
    log,
  })

  const uplink = new Hono()
  answerErrors(uplink, log)
  uplink.get('/healthz', (c) => c.json({ status: 'ok', version: engines.version }))
  uplink.route('/', uplinkRoutes({ db, presign: engines.presign, artifactsOfRelease, log }))

  return {
    app,
    uplink,
    ingest,
    services: [publisher, commands, ...room.services, houseKeeping(db, clock, log)],
    feed: { name: 'event feed', start: async () => {}, stop: async () => feed.close() },
    async restore() {
      await appliances.restore()
      await appliances.restorePeers()
      for (const { id } of await db.selectFrom('sites').select('id').execute()) engines.watch.watch(id)
      await publisher.republish()
      await commands.resend()
    },
    async loadersChanged() {
      await db.transaction().execute((tx) => publisher.mark(tx))
      publisher.kick()
    },
    async signedState(site) {
      await publisher.settled()
      return (await db.selectFrom('site_states').select('jws').where('site', '=', site).executeTakeFirst())?.jws || undefined
    },
  }
}

async function stateInputs(
  tx: Tx,
  site: SiteRow,
  {
    managerKeys,
    signingKey,
    loaders,
  }: { managerKeys: readonly Omit<PrivateKey, 'd'>[]; signingKey: PrivateKey; loaders: Engines['loaders'] },
) {
  const hosts = await hostSpecs(tx, site.organisation, site.id)
  const rules = await rulesFor(tx, site.organisation, { ...site.tags, site: site.name })
  const keys = await keysFor(tx, site.organisation, { ...site.tags, site: site.name })
  const box = await tx.selectFrom('appliances').select('ssh_public_key').where('site', '=', site.id).executeTakeFirst()
  const parts = await stateParts(tx, site.organisation, usedProfiles(hosts, rules))
  const appliance = await applianceState(tx, site.id, signingKey)
  const siteKey = box?.ssh_public_key ?? undefined
  return { hosts, rules, keys, siteKey, ...parts, loaders: await loaders(), managerKeys, ...(appliance ? { appliance } : {}) }
}

function houseKeeping(db: Db, clock: Clock, log: Log): Service {
  let cancel: (() => void) | undefined
  return {
    name: 'house-keeping',
    async start() {
      cancel = clock.every(EXPIRE_MS, () => void expireRuns(db, clock.now()).catch((error) => log.error('runs.not_expired', { error })))
    },
    async stop() {
      cancel?.()
    },
  }
}
