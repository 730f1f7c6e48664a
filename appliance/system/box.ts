import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { createLog } from '@bridgehead/shared/log.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import { startAll } from '@bridgehead/shared/service.ts'
import { z } from 'zod'
import type { BoxConfig } from '../config.ts'
import { endOnBugs, firstSignal, STOP_MS } from '../daemon.ts'
import { loadOrCreateSiteKey } from '../distributors/ssh/site-key.ts'
import { createIdleMemory, processMemory } from '../idle-memory.ts'
import { createOutbox } from '../store/outbox.ts'
import { startedFacts } from '../update/started-facts.ts'
import { createUpdater, type Updater } from '../update/updater.ts'
import { type EnrolProgress, followNewToken } from '../uplink/enrol.ts'
import { readHardware } from '../uplink/hardware.ts'
import { openIdentity } from '../uplink/identity.ts'
import { readSite } from '../uplink/membership.ts'
import { createAppliance } from '../wiring.ts'
import { readBootInfo } from './boot-info.ts'
import { diskIsBack, openBoxStore, remembered, returnToDisk, STORE, setAside } from './box-store.ts'
import { createConfigFile } from './config-file.ts'
import { createConsole } from './console/console.ts'
import { diagnose } from './diagnostics.ts'
import { createHealth } from './health.ts'
import { createHelper } from './helper.ts'
import { installIfAsked } from './install.ts'
import { createLogRing } from './log-ring.ts'
import { createNetwork } from './network/network.ts'
import { createLocalPage } from './page/page.ts'
import { createPulse } from './pulse.ts'
import { type BoxView, makeScreen, updateLines, withInstall } from './screen.ts'
import { selfTests } from './self-tests.ts'
import { createTimeKeeper } from './time/time.ts'

/** `start me anew at once`: the data partition failed, or came back. */
const EXIT_AGAIN = 75
const PAGE_PORT = 8443

/** The daemon of a flashed box. Resolves with its exit status. */
export async function runBox(config: BoxConfig): Promise<number> {
  const clock = systemClock
  const ring = createLogRing((line) => process.stderr.write(line))
  const log = createLog({ name: 'appliance', level: config.logLevel, stream: ring })
  endOnBugs(log)
  const booted = readBootInfo(config.bootInfo)
  const own = join(config.run, 'daemon') // ours alone, until the next boot
  mkdirSync(own, { recursive: true, mode: 0o700 })
  const { place, boot, store, paths } = openBoxStore({ booted, disk: config.data, own, log, again: () => process.exit(EXIT_AGAIN) })
  const outbox = createOutbox(store.db, { clock, newId })
  const identity = await openIdentity(join(place.directory, 'keys'))
  const siteKey = await loadOrCreateSiteKey(join(place.directory, 'ssh'))

  const helper = createHelper({ boot, clock, directory: join(config.run, 'helper') })
  const settings = createConfigFile({ path: boot.config, helper, memory: remembered(store, 'box.config', log), clock, log })
  const network = createNetwork({
    config: settings.current,
    memory: remembered(store, 'box.uplink', log),
    clock,
    log,
    directory: own,
    resolvConf: join(config.run, 'resolv.conf'),
    expectLans: readSite(store) !== undefined,
  })
  const time = createTimeKeeper({
    helper,
    servers: () => network.status().plan?.ntp ?? [],
    ask: async (server) => (await import('./time/sntp.ts')).askTime(server, clock.now),
    file: join(place.directory, 'clock'),
    floor: builtAt(process.argv[1] ?? process.execPath),
    clock,
    log,
  })
  let installing: Parameters<Parameters<typeof installIfAsked>[0]['say']>[0] | undefined
  const updating: { apply?: Updater['apply'] } = {} // made below: it asks the appliance, and is told by it
  let enrolment: EnrolProgress = { kind: 'idle' }
  const enrolSettings = () => {
    const { manager, fingerprint, token, uplink } = settings.current()
    return { file: boot.config, manager, fingerprint, token, proxy: uplink?.proxy, from: network.status().plan?.uplink?.address }
  }
  const enrolHooks = {
    config: enrolSettings,
    writeConfig: helper.setConfig,
    onProgress(progress: EnrolProgress) {
      enrolment = progress
      screen.refresh()
    },
    onDate: time.hint,
  }
  const appliance = createAppliance({
    config: { ...config, file: boot.config, data: place.directory },
    ...{ version: boot.version, identity, siteKey, store, outbox, log, clock, newId },
    newToken: () => randomBytes(32).toString('hex'),
    random: Math.random,
    enrolment: enrolHooks,
    prepare: (state: SiteState) => network.applyLans(state.lans),
    onState(state) {
      updating.apply?.(state)
      screen.refresh()
    },
    health: () => health.report(),
    onUplink: network.onUplink,
  })
  const health = createHealth({
    tests: () => selfTests(appliance.listening(), config.ports, store),
    uplink: appliance.uplink,
    clock,
    monotonic: () => performance.now(),
    log,
  })
  const updater = createUpdater({
    ...{ store, outbox, clock, log, boot, helper },
    source: appliance.source,
    health: health.report,
    keys: appliance.trusted,
    random: Math.random,
    timeKnown: time.known,
  })
  updating.apply = updater.apply
  const view = (): BoxView => ({
    boot,
    config: settings.current(),
    problems: settings.problems(),
    place,
    network: network.status(),
    enrol: enrolment,
    state: appliance.state(),
    siteName: appliance.state() ? undefined : readSite(store)?.name,
    health: health.report(),
    page: page.info(),
    ...withInstall(updateLines(updater.status()), installing),
  })
  const page = createLocalPage({
    directory: join(place.directory, 'page'),
    port: PAGE_PORT,
    screen: () => makeScreen(view()),
    facts: () => ({ leases: appliance.leases(), services: health.report().services }),
    settings: settings.current,
    problems: settings.problems,
    save: settings.write,
    diagnostics: () => diagnose({ view: view(), appliance, updates: updater.status(), lines: ring.lines(), at: clock.now() }),
    clock,
    log,
  })
  const screen = createConsole({ devices: boot.consoles, screen: () => makeScreen(view()), clock, log })
  const pulse = createPulse({ alive: health.alive, file: join(config.run, 'alive'), watchdog: boot.watchdog ?? undefined, clock, log })
  settings.onChange(() => {
    void network.applyLans(appliance.state()?.lans ?? [])
    screen.refresh()
  })
  network.onChange(screen.refresh)

  const facts = startedFacts(store.db, boot)
  const stopAll = await startAll(
    [
      pulse,
      settings,
      network,
      screen,
      ...appliance.services,
      time,
      health,
      page,
      updater,
      createIdleMemory({ clock, log, ...processMemory() }),
    ],
    log,
  )
  await store
    .write(() => outbox.add('appliance.started', { version: boot.version, sshPublicKey: siteKey.publicLine, ...facts }))
    .catch((error) => log.error('store.write_failed', { error })) // a full disk must not keep the site from what it can still do
  log.info('appliance.started', { version: boot.version, slot: boot.slot, board: boot.board, data: place.directory })

  const asked = { settings, helper, boot, log }
  const install = () =>
    void installIfAsked({
      ...asked,
      say(line) {
        installing = line
        screen.refresh()
      },
    })
  settings.onChange(install)
  install()

  const stopping = new AbortController()
  const newToken = followNewToken({
    ...enrolHooks,
    ...{ identity, hardware: readHardware(), version: boot.version, store, clock, log, random: Math.random, signal: stopping.signal },
  }).then((how) => how ?? new Promise<never>(() => {}))
  const back = place.state === 'memory' && place.mayReturn ? diskIsBack(paths, clock) : undefined
  const why = await Promise.race([firstSignal().then(() => 'signal' as const), newToken, ...(back ? [back] : [])])
  stopping.abort()
  setTimeout(() => process.exit(1), STOP_MS).unref()
  await stopAll()
  store.close()
  log.info('appliance.stopped', { why })
  if (why === 'signal') return 0
  if (why === 'other') setAside(join(place.directory, STORE), 'other-site', log)
  if (why === 'disk') returnToDisk(paths, log)
  return EXIT_AGAIN
}

/** When this program was built: no clock that shows less is right. Epoch ms. */
function builtAt(program: string): number {
  const release = z.object({ time: z.number() }).safeParse(readJson(join(dirname(program), 'release.json')))
  return release.success ? release.data.time * 1000 : Math.floor(statSync(program).mtimeMs)
}

function readJson(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}
