import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { createLog, type Log } from '@bridgehead/shared/log.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import { startAll } from '@bridgehead/shared/service.ts'
import { z } from 'zod'
import type { BoxConfig } from '../config.ts'
import { endOnBugs, firstSignal, STOP_MS } from '../daemon.ts'
import { loadOrCreateSiteKey } from '../distributors/ssh/site-key.ts'
import { createIdleMemory, processMemory } from '../idle-memory.ts'
import { createOutbox } from '../store/outbox.ts'
import { openStore, type Store } from '../store/store.ts'
import { startedFacts } from '../update/started-facts.ts'
import { createUpdater, type Updater } from '../update/updater.ts'
import { type EnrolProgress, followNewToken } from '../uplink/enrol.ts'
import { readHardware } from '../uplink/hardware.ts'
import { openIdentity } from '../uplink/identity.ts'
import { readSite } from '../uplink/membership.ts'
import { createAppliance } from '../wiring.ts'
import { readBootInfo } from './boot-info.ts'
import { createConfigFile } from './config-file.ts'
import { createConsole } from './console/console.ts'
import { bringBack, type DataPaths, diskFailure, isBack, markFailed, prepareData } from './data.ts'
import { diagnose } from './diagnostics.ts'
import { createHealth } from './health.ts'
import { createHelper } from './helper.ts'
import { installIfAsked } from './install.ts'
import { createLogRing } from './log-ring.ts'
import { createNetwork } from './network/network.ts'
import { createLocalPage } from './page/page.ts'
import { createPulse } from './pulse.ts'
import { type BoxView, makeScreen, updateLines } from './screen.ts'
import { selfTests } from './self-tests.ts'
import { createTimeKeeper } from './time/time.ts'
import { watchedStore } from './watched-store.ts'

/** `start me anew at once`: the data partition failed, or came back. */
const EXIT_AGAIN = 75
const RETURN_MS = 30_000
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
  const paths: DataPaths = { disk: config.data, memory: join(own, 'memory'), marker: join(own, 'data-failed') }
  const place = prepareData(booted, paths)
  if (place.state === 'memory') log.error('data.memory', { why: place.why })
  const boot = place.state === 'memory' ? { ...booted, data: { ...booted.data, state: 'memory' as const, why: place.why } } : booted
  const fail = (code: string) => {
    log.error('data.failed', { code })
    markFailed(paths, code)
    process.exit(EXIT_AGAIN) // memory may be ahead of the disk: the next process begins with what the disk has
  }
  const opened = openOrReplace(join(place.directory, 'appliance.sqlite'), { log, fail: place.state === 'disk' ? fail : undefined })
  const store = place.state === 'disk' ? watchedStore(opened, fail) : opened
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
  const back = place.state === 'memory' && place.mayReturn ? diskIsBack(paths, clock.every) : undefined
  const why = await Promise.race([firstSignal().then(() => 'signal' as const), newToken, ...(back ? [back] : [])])
  stopping.abort()
  setTimeout(() => process.exit(1), STOP_MS).unref()
  await stopAll()
  store.close()
  log.info('appliance.stopped', { why })
  if (why === 'signal') return 0
  if (why === 'other') setAside(join(place.directory, 'appliance.sqlite'), 'other-site', log)
  if (why !== 'disk') return EXIT_AGAIN
  try {
    bringBack(paths, (path) => openStore(path).close())
    log.info('data.back')
  } catch (error) {
    log.error('data.back_failed', { error })
  }
  return EXIT_AGAIN
}

/** A store that cannot be read any more is put aside, and the box begins anew: what it was told comes again from its manager. */
function openOrReplace(path: string, { log, fail }: { log: Log; fail: ((code: string) => void) | undefined }): Store {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
  try {
    return openStore(path)
  } catch (error) {
    const code = diskFailure(error)
    if (code === undefined) throw error
    if (!/CORRUPT|NOTADB/.test(code)) fail?.(code)
    log.error('data.store_unreadable', { code, kept: `${path}.unreadable` })
    setAside(path, 'unreadable', log)
    return openStore(path)
  }
}

function setAside(path: string, name: string, log: Log): void {
  for (const end of ['', '-wal', '-shm'])
    try {
      renameSync(`${path}${end}`, `${path}.${name}${end}`)
    } catch (error) {
      log.debug('data.store_part_missing', { part: end, error })
    }
}

function withInstall(
  lines: Pick<BoxView, 'doing' | 'troubles'>,
  installing: { doing: string } | { trouble: string } | undefined,
): Pick<BoxView, 'doing' | 'troubles'> {
  if (!installing) return lines
  if ('doing' in installing) return { ...lines, doing: [installing.doing, ...lines.doing] }
  return { ...lines, troubles: [installing.trouble, ...lines.troubles] }
}

/** One line of text in the store. A start with a full disk works without. */
function remembered(store: Store, key: string, log: Log) {
  const read = store.db.prepare<[string], { value: string }>('SELECT value FROM kv WHERE key = ?')
  return {
    load: () => read.get(key)?.value,
    save: (value: string) =>
      void store
        .write((db) => db.prepare('INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(key, value))
        .catch((error) => log.warn('store.write_failed', { key, error })),
  }
}

/** When this program was built: no clock that shows less is right. Epoch ms. */
function builtAt(program: string): number {
  const release = z.object({ time: z.number() }).safeParse(readJson(join(dirname(program), 'release.json')))
  return release.success ? release.data.time * 1000 : Math.floor(statSync(program).mtimeMs)
}

function readJson(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

function diskIsBack(paths: DataPaths, every: typeof systemClock.every): Promise<'disk'> {
  return new Promise((resolve) => {
    const end = every(RETURN_MS, () => {
      if (!isBack(paths)) return
      end()
      resolve('disk')
    })
  })
}
