import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeGrubEnv, marksOf, type SlotMarks, slotToBoot } from '@bridgehead/shared/boot/slots.ts'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { EventData } from '@bridgehead/shared/model/event.ts'
import type { ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import { type PrivateKey, type PublicKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import { SiteState } from '@bridgehead/shared/model/state.ts'
import { createOutbox } from '../store/outbox.ts'
import { openStore, type Store } from '../store/store.ts'
import type { BootInfo } from '../system/boot-info.ts'
import type { HealthReport } from '../system/health.ts'
import { type Bucket, fakeHelper, powerOn, systemIn } from './fake-box.ts'
import { startedFacts } from './started-facts.ts'
import { createUpdater, type Updater } from './updater.ts'

export const WELL: HealthReport = { ok: true, services: { dhcp: 'ok' }, uplink: 'ok' }

/** Where the clock begins: a Sunday at noon, so that nothing depends on the day of the test. */
const EPOCH = Date.UTC(2026, 10, 22, 12)

export interface FakeMachineDeps {
  /** Holds the slots, the loader's environment and the store. */
  directory: string
  /** Every system that may lie in a slot. */
  systems: readonly Buffer[]
  bucket: Bucket
  keys: readonly PublicKey[]
  /** Time passes so many times as fast. */
  speed: number
}

/** One box with its disk as files: switched on and off, its daemon killed at chosen points, its health set. */
export class FakeMachine {
  readonly clock: Clock
  info: BootInfo | undefined
  updater: Updater | undefined
  store: Store | undefined
  /** Versions that hang when they start, and how the others feel. */
  readonly hangs = new Set<string>()
  readonly health: Record<string, HealthReport> = {}
  /** What the last start of a daemon would tell the manager. */
  started: ReturnType<typeof startedFacts> | undefined
  reboots = 0
  /** Added to the clock. */
  leapMs = 0
  /** The daemon dies at this point, counted from 1; `points` is how many there were. */
  dieAt: number | undefined
  points = 0
  onDeath: () => void = () => undefined
  readonly #deps: FakeMachineDeps
  #state: SiteState | undefined
  #booted = 0
  #bootId = ''
  #life = 0

  constructor(deps: FakeMachineDeps) {
    this.#deps = deps
    const { speed } = deps
    const began = systemClock.now()
    this.clock = {
      now: () => Math.round(EPOCH + this.leapMs + (systemClock.now() - began) * speed),
      after: (ms, task) => systemClock.after(ms / speed, task),
      every: (ms, task) => systemClock.every(ms / speed, task),
      sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    }
  }

  /** Firmware, loader, kernel, daemon. */
  async on(): Promise<void> {
    this.info = powerOn(this.#deps.directory, this.#deps.systems, this.hangs)
    this.#booted = this.#uptime()
    this.#bootId = newId()
    await this.daemon()
  }

  /** The daemon alone: also after it was killed. */
  async daemon(): Promise<void> {
    const { info } = this
    if (!info) throw new Error('the box is off')
    const { directory, bucket, keys } = this.#deps
    const life = ++this.#life
    const point = <T>(value: T): Promise<T> => this.#point(life, value)
    const store = openStore(join(directory, 'store.sqlite'))
    const write: Store['write'] = async (task) => {
      await point(undefined)
      return point(await store.write(task))
    }
    const helper = fakeHelper(directory, info.slot, async () => {
      this.reboots++
      setImmediate(() => void this.off().then(() => this.on()))
    })
    const around =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        await point(undefined)
        return point(await call(...args))
      }
    this.store = store
    this.started = startedFacts(store.db, info)
    this.updater = createUpdater({
      store: { ...store, write },
      outbox: createOutbox(store.db, { clock: this.clock, newId }),
      clock: this.clock,
      log: silentLog,
      boot: info,
      helper: {
        setEnv: around(helper.setEnv),
        openSlot: around(helper.openSlot),
        closeSlot: around(helper.closeSlot),
        reboot: around(helper.reboot),
      },
      source: () => bucket.source,
      health: () => this.health[info.version] ?? WELL,
      keys: () => keys,
      random: () => 0.5,
      machine: { bootId: this.#bootId, uptimeMs: () => this.#uptime() - this.#booted },
    })
    await this.updater.start()
    if (this.#state) this.updater.apply(this.#state)
  }

  async off(): Promise<void> {
    const { updater, store } = this
    this.updater = undefined
    await updater?.stop()
    store?.close()
  }

  wants(state: SiteState): void {
    this.#state = state
    this.updater?.apply(state)
  }

  async until(what: () => boolean): Promise<void> {
    for (const end = performance.now() + 20_000; performance.now() < end; ) {
      if (this.updater && what()) return
      await systemClock.sleep(2)
    }
    throw new Error(`did not happen; ${JSON.stringify(this.updater?.status())}\n${JSON.stringify(this.told())}`)
  }

  /** What the manager heard of, progress left out. */
  told(): string[] {
    if (!this.store?.db.open) return []
    const rows = this.store.db.prepare<[], { event: string }>('SELECT event FROM outbox ORDER BY seq').all()
    return rows.flatMap(({ event }) => {
      const { kind, data }: { kind: string; data: EventData<'appliance.update'> & EventData<'appliance.slot-repaired'> } = JSON.parse(event)
      if (kind === 'appliance.slot-repaired') return [`repaired ${data.slot}: ${data.why}`]
      return data.phase === 'fetching' && data.why === undefined ? [] : [data.why === undefined ? data.phase : `${data.phase}: ${data.why}`]
    })
  }

  get marks(): SlotMarks {
    return marksOf(decodeGrubEnv(readFileSync(join(this.#deps.directory, 'grubenv'))))
  }

  /** The version that the loader would start now, if that slot is whole. */
  nextVersion(): string | undefined {
    const { slot } = slotToBoot(decodeGrubEnv(readFileSync(join(this.#deps.directory, 'grubenv'))))
    return systemIn(join(this.#deps.directory, `slot-${slot}`), this.#deps.systems)
  }

  #uptime(): number {
    return performance.now() * this.#deps.speed
  }

  /** A daemon that died does nothing more: its calls never come back. */
  async #point<T>(life: number, value: T): Promise<T> {
    if (life !== this.#life) return new Promise<T>(() => undefined)
    this.points++
    if (this.points !== this.dieAt) return value
    this.#life++
    const { updater, store } = this
    this.updater = undefined
    updater?.stop().catch(() => undefined) // never comes back either; ends its timers
    setTimeout(() => {
      store?.close()
      this.onDeath()
    }, 5)
    return new Promise<T>(() => undefined)
  }
}

export function makeKey(kid: string): PrivateKey {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { kid, kty: 'OKP', crv: 'Ed25519', x, d }
}

export async function stateWith(manifest: ReleaseManifest, key: PrivateKey, appliance: SiteState['appliance'] = {}): Promise<SiteState> {
  return SiteState.parse({
    ...{ protocol: 1, site: '0193e3f0-0000-7000-8000-000000000001', name: 'site', revision: 1, at: Date.UTC(2026, 0), tags: {}, dns: {} },
    ...{ lans: [], hosts: [], rules: [], profiles: [], scripts: [], keys: [] },
    appliance: { release: { id: 'r1', jws: await signDocument('release', manifest, key) }, ...appliance },
  })
}
