import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import { randomSecret, secretFile } from '@bridgehead/shared/secret-file.ts'
import { type Service, startAll } from '@bridgehead/shared/service.ts'
import { assemble } from './assemble.ts'
import { createAuth } from './auth/auth.ts'
import { createSetup } from './auth/setup.ts'
import { DEBIAN_SOURCES } from './builders/build.ts'
import type { BuilderSources } from './builders/deps.ts'
import { builderRoutes } from './builders/routes.ts'
import { pinSources } from './builders/sources/directory.ts'
import type { ConfiguredSource } from './builders/sources/source.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { machineApt } from './engines/apt/apt.ts'
import { createFilesystemBucket } from './engines/bucket/filesystem.ts'
import { createPresigner, presignKeyIn } from './engines/bucket/presign.ts'
import { bucketRoutes } from './engines/bucket/routes.ts'
import { createS3Bucket } from './engines/bucket/s3.ts'
import { createRedis } from './engines/bus/redis.ts'
import { createSiteBus } from './engines/bus/site-bus.ts'
import { createJobs } from './engines/jobs/jobs.ts'
import { createWorkerAccess } from './engines/jobs/worker-access.ts'
import { createHub } from './engines/overlay/hub.ts'
import { newUlaPrefix, siteNetwork } from './engines/overlay/ula.ts'
import { type Db, openStore } from './engines/store/store.ts'
import { selfSignedIdentity } from './engines/tls/certificate.ts'
import { signingKeys } from './keys.ts'
import { createListener } from './listener.ts'
import { applianceImageBuilder } from './packagers/appliance-image/build.ts'
import { importDefaultLoaders } from './packagers/loaders/default-loaders.ts'
import { orderBundle } from './packagers/media/bundle/order.ts'
import { createLinks, linkRoutes } from './packagers/media/links.ts'
import { type MediaRoutesDeps, mediaRoutes } from './packagers/media/routes.ts'
import { packagerRoutes } from './packagers/routes.ts'
import { registerJobs } from './register-jobs.ts'
import { findSite } from './sites/records.ts'
import { CONSOLE } from './web/build.ts'
import { consoleRoutes } from './web/console-routes.ts'

const VERSION = '0.1.0'
/** A supervisor waits longer than this before it kills. */
const STOP_MS = 20_000
const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  const config = readConfig(process.env)
  const log = createLog({ name: 'manager', level: config.log })
  for (const name of config.unknown) log.warn('config.unknown', { name })
  const manager = await build(config, log)
  const stopAll = await startAll(manager.services, log)
  await manager.greet()

  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log.info('manager.stopping', { signal })
    setTimeout(() => {
      log.error('manager.stop_forced', { afterMs: STOP_MS })
      process.exit(1) // a part that hangs must not hold up a restart; what was acknowledged is on disk
    }, STOP_MS).unref()
    await stopAll()
    await manager.close()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(signal))
}

/** Constructs everything, in the order in which it is started. */
async function build(config: Config, log: ReturnType<typeof createLog>) {
  const clock = systemClock
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes))
  await mkdir(config.data, { recursive: true, mode: 0o700 })
  const keys = join(config.data, 'keys')
  const db = await openStore(join(config.data, 'manager.sqlite'))

  const hub = config.overlay.on
    ? createHub({
        directory: keys,
        interfaceName: config.overlay.interfaceName,
        port: config.overlay.port,
        prefix: await overlayPrefix(db, random),
        log,
        clock,
      })
    : undefined
  const prefix = await overlayPrefix(db, random)
  const inside = hub?.address ?? '127.0.0.1'
  const redis = createRedis({
    directory: join(config.data, 'redis'),
    port: config.redis.port,
    bind: [...new Set(['127.0.0.1', inside])],
    log,
    clock,
    url: config.redis.url,
  })
  const bus = createSiteBus({ redis, log, clock })
  const presigner = createPresigner(await presignKeyIn(join(keys, 'presign')))
  const bucket = config.s3
    ? createS3Bucket({ ...config.s3, temporary: join(config.data, 'tmp'), clock })
    : createFilesystemBucket({ directory: config.bucket, presigner, clock })
  const tls = await selfSignedIdentity({ directory: join(config.data, 'tls'), hosts: ownNames(config), now: clock.now() })

  if (!/^(127\.|::1$|localhost$)/.test(config.http.host)) log.warn('http.plain', { host: config.http.host })
  const localUrl = `http://${bracketed(config.http.host)}:${config.http.port}`
  const auth = createAuth({
    db,
    secret: await secretFile(join(keys, 'auth'), randomSecret),
    baseUrl: config.publicUrl,
    trustedOrigins: [localUrl, `http://localhost:${config.http.port}`],
    random,
    clock,
    log,
  })
  await auth.migrate()
  const setup = createSetup({ db, auth, file: join(config.data, 'setup-link'), url: localUrl, random, clock })

  const loaders = await importDefaultLoaders({ bucket, log })
  const jobs = createJobs({ redis, log, clock, work: ['default', ...config.work] })
  const workerAccess = createWorkerAccess({ redis, directory: join(config.data, 'redis'), log })
  const sources = sourcesOf(config)
  const building = { bucket, apt: machineApt(), clock, workDirectory: join(config.data, 'work'), sources }
  const kinds = registerJobs(jobs, { ...building, log })
  const keyring = await signingKeys(join(keys, 'signing.json'), newId)
  const [signingKey] = keyring
  const links = createLinks({ bucket, random, clock })
  const media: MediaRoutesDeps = {
    ...{ bucket, jobs, kinds, links, signingKey, publicUrl: config.publicUrl, clock },
    findSite: (organisation, idOrName) => findSite(db, organisation, idOrName),
    orderBundle: (site) => orderBundle(site, [], { signedState: (id) => manager.signedState(id), signingKeys: keyring, bucket }),
    ipxeSources: () => pinSources(sources.ipxe, { bucket, missing: (why) => log.warn('sources.missing', { why }) }),
  }
  const downloads = () => bucketRoutes({ bucket, presigner, clock })
  const consumer = bus.consumeEvents((site, entries) => manager.ingest(site, entries))
  const manager = assemble({
    db,
    auth,
    setup,
    signingKeys: keyring,
    bus,
    world: {
      overlay: hub && {
        publicKey: hub.publicKey,
        endpoint: config.overlay.endpoint,
        hubAddress: hub.address,
        siteNetwork: (subnet) => siteNetwork(prefix, subnet),
        setPeers: hub.setPeers,
      },
      redis: redisFor(config, inside),
      artifacts: `http://${bracketed(inside)}:${config.uplinkPort}/artifacts`,
      setSiteUser: redis.setSiteUser,
      deleteSiteUser: redis.deleteSiteUser,
    },
    watch: consumer,
    presign: async (sha256, name) => ((await bucket.head(sha256)) ? bucket.presign(sha256, { expiresSeconds: 3600, name }) : undefined),
    artifactBytes: async (sha256) => (await bucket.head(sha256))?.bytes,
    loaders: async () => loaders,
    images: {
      ...{ bucket, jobs, kinds, builder: applianceImageBuilder(building) },
      ticketKey: Buffer.from(await secretFile(join(keys, 'tickets'), randomSecret), 'base64url'),
    },
    dial: { manager: config.publicUrl, ...(config.publicUrl.startsWith('https:') ? { fingerprint: tls.fingerprint } : {}) },
    parts: [
      packagerRoutes({ ...building, jobs, kinds }),
      builderRoutes({ bucket, jobs, kinds, clock, sources, signingKey: () => signingKey }),
      mediaRoutes(media),
    ],
    pages: [consoleRoutes({ directory: CONSOLE })],
    downloads: [downloads(), linkRoutes({ links, bucket, clock })],
    random,
    newId,
    clock,
    log,
    version: VERSION,
  })
  manager.uplink.route('/', downloads())

  const restore: Service = {
    name: 'restore',
    start: async () => {
      redis.onRestart(manager.restore)
      await manager.restore()
      await manager.loadersChanged() // a newer iPXE package may have come since the last start
    },
    stop: async () => {},
  }
  const listen = (name: string, at: { host: string; port: number }, variable: string, fetch: typeof manager.app.fetch, withTls = false) =>
    createListener({ name, ...at, variable, fetch: (request) => fetch(request), tls: withTls ? tls : undefined, log })
  const services: Service[] = [
    ...(hub ? [hub] : []),
    redis,
    workerAccess,
    bus,
    jobs,
    ...manager.services,
    restore,
    consumer,
    listen('uplink', { host: inside, port: config.uplinkPort }, 'BRIDGEHEAD_UPLINK_PORT', manager.uplink.fetch),
    listen('https', config.https, 'BRIDGEHEAD_HTTPS', manager.app.fetch, true),
    listen('http', config.http, 'BRIDGEHEAD_HTTP', manager.app.fetch),
    manager.feed,
  ]
  return {
    services,
    async greet() {
      const link = await setup.prepare()
      say(`Bridgehead manager ${VERSION}`)
      say(`  console and API   ${localUrl}   (reference: ${localUrl}/api/v1/reference)`)
      say(`  for appliances    ${config.publicUrl}`)
      say(`  certificate       sha256 ${tls.fingerprint}`)
      say(`  overlay           ${hub ? `${hub.address}, UDP ${config.overlay.endpoint}` : 'off'}`)
      say(`  data              ${config.data}`)
      if (link !== undefined) say(`\nSet up the first account here (the link works once):\n  ${link}\n`)
      else say('ready')
      log.info('manager.ready', { version: VERSION })
    },
    close: () => db.destroy(),
  }
}

/** Made once, kept in the database: addresses of enrolled sites are of it. */
async function overlayPrefix(db: Db, random: (bytes: number) => Uint8Array): Promise<string> {
  const values = { key: 'overlay-prefix', value: newUlaPrefix(random) }
  await db
    .insertInto('settings')
    .values(values)
    .onConflict((on) => on.column('key').doNothing())
    .execute()
  return (await db.selectFrom('settings').select('value').where('key', '=', 'overlay-prefix').executeTakeFirstOrThrow()).value
}

/** The operator's own sources first, where the settings name them; then Debian's. */
function sourcesOf(config: Config): BuilderSources {
  const own = (path: string | undefined): ConfiguredSource[] => (path === undefined ? [] : [{ kind: 'directory', path }])
  return {
    ipxe: [...own(config.sources.ipxe), ...DEBIAN_SOURCES.ipxe],
    grub: [...own(config.sources.grub), ...DEBIAN_SOURCES.grub],
    syslinux: [...own(config.sources.syslinux), ...DEBIAN_SOURCES.syslinux],
  }
}

/** Where appliances find Redis. */
function redisFor(config: Config, inside: string): { host: string; port: number } {
  if (config.redis.url === undefined) return { host: inside, port: config.redis.port }
  const url = new URL(config.redis.url)
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }
}

/** Names and addresses under which the certificate is valid. */
function ownNames(config: Config): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((one) => one.address))
  const names = [new URL(config.publicUrl).hostname, hostname(), 'localhost', ...addresses]
  return [...new Set(names.map((name) => name.replace(/^\[|\]$/g, '').replace(/%.*$/, '')))]
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

main().catch((error: unknown) => {
  const lines = error instanceof ConfigError ? error.message.split('\n') : reasons(error)
  for (const line of lines) process.stderr.write(`bridgehead: ${line}\n`)
  process.exit(1)
})

/** The message and those of its causes, without repeating what one already says. */
function reasons(error: unknown): string[] {
  const lines: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (!lines.some((line) => line.includes((at as Error).message))) lines.push(at.message)
  return lines.length > 0 ? lines : [String(error)]
}
