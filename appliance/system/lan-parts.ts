import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { SiteState } from '@bridgehead/shared/model/state.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { z } from 'zod'
import type { BoxConfig } from '../config.ts'
import { loadOrCreateSiteKey } from '../distributors/ssh/site-key.ts'
import { createOutbox } from '../store/outbox.ts'
import type { EnrolProgress } from '../uplink/enrol.ts'
import { openIdentity } from '../uplink/identity.ts'
import { readSite } from '../uplink/membership.ts'
import { createAppliance } from '../wiring.ts'
import { readBootInfo } from './boot-info.ts'
import { openBoxStore, remembered } from './box-store.ts'
import { createConfigFile } from './config-file.ts'
import { createHealth } from './health.ts'
import { createHelper } from './helper.ts'
import { createNetwork } from './network/network.ts'
import { createPulse } from './pulse.ts'
import { selfTests } from './self-tests.ts'
import { createTimeKeeper } from './time/time.ts'

/** What the parts that serve the LAN tell those that are made after them. */
interface Told {
  enrolment: EnrolProgress
  onChange: () => void
  onState: (state: SiteState) => void
}

export type LanParts = Awaited<ReturnType<typeof makeLanParts>>

/** All that a box needs to serve its LAN, made from what its disk holds. `again` ends the process; a new one is started at once. */
export async function makeLanParts(config: BoxConfig, { log, again }: { log: Log; again: () => never }) {
  const clock = systemClock
  const own = join(config.run, 'daemon') // ours alone, until the next boot
  mkdirSync(own, { recursive: true, mode: 0o700 })
  const { place, boot, store, paths } = openBoxStore({ booted: readBootInfo(config.bootInfo), disk: config.data, own, log, again })
  const outbox = createOutbox(store.db, { clock, newId })
  const [identity, siteKey] = await Promise.all([
    openIdentity(join(place.directory, 'keys')),
    loadOrCreateSiteKey(join(place.directory, 'ssh')),
  ])
  const told: Told = { enrolment: { kind: 'starting' }, onChange() {}, onState() {} }

  const helper = createHelper({ boot, clock, directory: join(config.run, 'helper') })
  const settings = createConfigFile({ path: boot.config, helper, memory: remembered(store, 'box.config', log), clock, log })
  const network = createNetwork({
    config: settings.current,
    memory: remembered(store, 'box.uplink', log),
    clock,
    log,
    ahead: join(place.directory, 'network'),
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
  const enrolment = {
    config() {
      const { manager, fingerprint, token, uplink } = settings.current()
      return { file: boot.config, manager, fingerprint, token, proxy: uplink?.proxy, from: network.status().plan?.uplink?.address }
    },
    writeConfig: helper.setConfig,
    onProgress(progress: EnrolProgress) {
      told.enrolment = progress
      told.onChange()
    },
    onDate: time.hint,
  }
  const appliance = createAppliance({
    config: { ...config, file: boot.config, data: place.directory },
    ...{ version: boot.version, identity, siteKey, store, outbox, log, clock, newId, enrolment },
    newToken: () => randomBytes(32).toString('hex'),
    random: Math.random,
    prepare: (state) => network.applyLans(state.lans),
    onState(state) {
      told.onState(state)
      told.onChange()
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
  const pulse = createPulse({ alive: health.alive, file: join(config.run, 'alive'), watchdog: boot.watchdog ?? undefined, clock, log })
  const services: readonly Service[] = [pulse, network, ...appliance.lanServices]
  return {
    ...{ clock, log, place, boot, store, paths, outbox, identity, siteKey, told },
    ...{ helper, settings, network, time, enrolment, appliance, health, services },
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
