import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeGrubEnv, marksOf } from '@bridgehead/shared/boot/slots.ts'
import { type Clock, systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { EventData } from '@bridgehead/shared/model/event.ts'
import type { ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import { type PrivateKey, type PublicKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import { SiteState } from '@bridgehead/shared/model/state.ts'
import { exportJWK, generateKeyPair } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type Outbox } from '../store/outbox.ts'
import { openStore, type Store } from '../store/store.ts'
import type { BootInfo } from '../system/boot-info.ts'
import type { HealthReport } from '../system/health.ts'
import { VERIFY_EVERY_MS } from './decide.ts'
import { type Bucket, fakeHelper, indexOf, makeDisk, makeSystem, manifestOf, openBucket, powerOn, systemIn } from './fake-box.ts'
import { createUpdater, type Updater } from './updater.ts'

/** Runs two thousand times as fast: a quarter of an hour of trial takes half a second. */
const SPEED = 2_000
const epoch = systemClock.now()
let leapMs = 0
const clock: Clock = {
  now: () => Math.round(epoch + leapMs + (systemClock.now() - epoch) * SPEED),
  after: (ms, task) => systemClock.after(ms / SPEED, task),
  every: (ms, task) => systemClock.every(ms / SPEED, task),
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
}
const uptime = () => performance.now() * SPEED
const WELL: HealthReport = { ok: true, services: { dhcp: 'ok' }, uplink: 'ok' }
const OLD = makeSystem('1.0.0')
const NEW = makeSystem('1.1.0')
const SYSTEMS = [OLD, NEW]

let privateKey: PrivateKey
let publicKey: PublicKey
beforeAll(async () => {
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const { x = '', d = '' } = await exportJWK(pair.privateKey)
  publicKey = { kid: 'test', kty: 'OKP', crv: 'Ed25519', x }
  privateKey = { ...publicKey, d }
})

let directory = ''
let bucket: Bucket
let box: Box
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updater-'))
  bucket = await openBucket()
  for (const system of SYSTEMS) {
    bucket.put(system)
    bucket.put(indexOf(system))
  }
  makeDisk(directory, OLD)
  box = new Box()
})
afterEach(async () => {
  await box.off()
  await bucket.close()
  await rm(directory, { recursive: true, force: true })
})

/** One box with its disk in `directory`: switched on and off, its daemon killed, its health set. */
class Box {
  info: BootInfo | undefined
  store: Store | undefined
  outbox: Outbox | undefined
  updater: Updater | undefined
  hangs = new Set<string>()
  /** What each version feels like. */
  health: Record<string, HealthReport> = {}
  state: SiteState | undefined
  reboots = 0
  timeKnown = true
  #booted = 0
  #bootId = ''

  /** Firmware, GRUB, Linux, daemon. */
  async on(): Promise<void> {
    this.info = powerOn(directory, SYSTEMS, this.hangs)
    this.#booted = uptime()
    this.#bootId = newId()
    await this.daemon()
  }
  /** The daemon alone; also after it was killed. */
  async daemon(): Promise<void> {
    const info = this.info
    if (!info) throw new Error('the box is off')
    this.store = openStore(join(directory, 'store.sqlite'))
    this.outbox = createOutbox(this.store.db, { clock, newId })
    this.updater = createUpdater({
      store: this.store,
      outbox: this.outbox,
      clock,
      log: silentLog,
      boot: info,
      helper: fakeHelper(directory, info.slot, async () => {
        this.reboots++
        setImmediate(() => void this.off().then(() => this.on()))
      }),
      source: () => bucket.source,
      health: () => this.health[info.version] ?? WELL,
      keys: () => [publicKey],
      random: () => 0.5,
      timeKnown: () => this.timeKnown,
      machine: { bootId: this.#bootId, uptimeMs: () => uptime() - this.#booted },
    })
    await this.updater.start()
    if (this.state) this.updater.apply(this.state)
  }
  async off(): Promise<void> {
    await this.updater?.stop()
    this.store?.close()
    this.updater = undefined
  }
  wants(state: SiteState): void {
    this.state = state
    this.updater?.apply(state)
  }
  async until(what: () => boolean): Promise<void> {
    for (const end = performance.now() + 8_000; performance.now() < end; ) {
      if (this.updater && what()) return
      await systemClock.sleep(2)
    }
    throw new Error(`did not happen; ${JSON.stringify(this.updater?.status())}\n${JSON.stringify(this.told())}`)
  }
  /** Phases of releases that the manager heard of, progress left out. */
  told(): string[] {
    const rows = this.store?.db.open ? this.store.db.prepare<[], { event: string }>('SELECT event FROM outbox ORDER BY seq').all() : []
    return rows.flatMap(({ event }) => {
      const { kind, data } = JSON.parse(event) as {
        kind: string
        data: EventData<'appliance.update'> & EventData<'appliance.slot-repaired'>
      }
      if (kind === 'appliance.slot-repaired') return [`repaired ${data.slot}: ${data.why}`]
      return data.phase === 'fetching' && data.why === undefined ? [] : [`${data.phase}${data.why === undefined ? '' : `: ${data.why}`}`]
    })
  }
  get marks() {
    return marksOf(decodeGrubEnv(readFileSync(join(directory, 'grubenv'))))
  }
}

async function stateWith(manifest: ReleaseManifest, change: Partial<SiteState> = {}, key = privateKey): Promise<SiteState> {
  const jws = await signDocument('release', manifest, key)
  return SiteState.parse({
    protocol: 1,
    site: '0193e3f0-0000-7000-8000-000000000001',
    name: 'site',
    revision: 1,
    at: Date.UTC(2026, 0),
    tags: {},
    lans: [],
    hosts: [],
    rules: [],
    profiles: [],
    scripts: [],
    keys: [],
    dns: {},
    appliance: { release: { id: 'r1', jws } },
    ...change,
  })
}
const slotB = () => systemIn(join(directory, 'slot-B'), SYSTEMS)

describe('an update', () => {
  test('is fetched, switched to, tried and committed, and only what changed travels', async () => {
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW)))
    await box.until(() => box.told().at(-1) === 'committed')
    expect(box.told()).toEqual(['written', 'switched', 'trying', 'committed'])
    expect(box.info?.slot).toBe('B')
    expect(box.marks).toEqual({ order: ['B', 'A'], A: { ok: true, tries: 0 }, B: { ok: true, tries: 0 } })
    expect(box.reboots).toBe(1)
    expect(bucket.sent().bytes).toBeLessThan(NEW.length * 0.25)
    expect(bucket.sent().requests).toBe(3)
  })

  test('that never comes up is started three times, then the old one runs again, and it is not tried again', async () => {
    box.hangs.add('1.1.0')
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW)))
    await box.until(() => box.told().some((line) => line.startsWith('repaired')))
    expect(box.told().slice(0, 3)).toEqual(['written', 'switched', 'rolled-back: system B (1.1.0) did not come up 3 times'])
    expect(box.info?.slot).toBe('A')
    expect(box.told()[3]).toMatch(/^repaired B: it held 1.1.0, which did not hold/)
    expect(slotB()).toBe('1.0.0')
    expect(box.reboots).toBe(1)
  })

  test('whose services are not well within a quarter of an hour is given up, with what was wrong', async () => {
    box.health['1.1.0'] = { ok: false, services: { dhcp: 'no answer to a DISCOVER', dns: 'ok' }, uplink: 'ok' }
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW)))
    await box.until(() => box.told().some((line) => line.startsWith('rolled-back')))
    expect(box.told()).toEqual([
      'written',
      'switched',
      'trying',
      'rolled-back: not healthy within 15 minutes: dhcp: no answer to a DISCOVER',
    ])
    expect(box.info?.version).toBe('1.0.0')
    expect(box.updater?.status().rollback).toMatchObject({ version: '1.1.0' })
  })

  test('that loses the uplink is given up', async () => {
    box.health['1.1.0'] = { ...WELL, uplink: 'down' }
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW)))
    await box.until(() => box.told().some((line) => line.startsWith('rolled-back')))
    expect(box.told().at(-1)).toBe('rolled-back: not healthy within 15 minutes: the uplink is down')
  })

  test('at a site whose uplink did not work before is committed on local health', async () => {
    box.health['1.0.0'] = { ...WELL, uplink: 'down' }
    box.health['1.1.0'] = { ...WELL, uplink: 'down' }
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW)))
    await box.until(() => box.told().at(-1) === 'committed')
  })
})

const OTHER_KEY = 'a key that nobody trusts'
for (const { release, change, why } of [
  { release: 'for another board', change: { boards: ['rpi'] }, why: '1.1.0 is for rpi; this box is x86_64' },
  { release: 'that expired', change: { expiresAt: Date.UTC(2026, 5, 1) }, why: /^1.1.0 expired on 2026-06-01; today is / },
  {
    release: 'whose floor is above this box',
    change: { floor: '1.0.5' },
    why: '1.1.0 takes boxes from 1.0.5 on; this one runs 1.0.0, so a release in between must come first',
  },
  {
    release: 'that is older',
    change: { version: '0.9.0', floor: '0.1.0' },
    why: '0.9.0 is older than 1.0.0, which runs; going back must be ordered as such',
  },
  { release: 'signed by a stranger', change: {}, key: OTHER_KEY, why: /signature does not verify/ },
])
  test(`a release ${release} is refused once, and the slot stays untouched`, async () => {
    const before = readFileSync(join(directory, 'slot-B'))
    await box.on()
    const key = release.includes('stranger') ? await stranger() : privateKey
    box.health['1.0.0'] = { ...WELL, ok: false } // keeps upkeep away from the slot
    box.wants(await stateWith(manifestOf('1.1.0', NEW, change), {}, key))
    await box.until(() => box.told().length > 0)
    await systemClock.sleep(20)
    expect(box.told()).toEqual([
      expect.stringMatching(
        typeof why === 'string' ? `refused: ${why}`.replaceAll(/[.()]/g, '\\$&') : new RegExp(`^refused: ${why.source.replace('^', '')}`),
      ),
    ])
    expect(readFileSync(join(directory, 'slot-B')).equals(before)).toBe(true)
    expect(bucket.sent().requests).toBe(0)
  })
async function stranger(): Promise<PrivateKey> {
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const { x = '', d = '' } = await exportJWK(pair.privateKey)
  return { ...publicKey, x, d }
}

test('an empty slot is filled from the running one once the box is healthy', async () => {
  await box.on()
  await box.until(() => box.told().length > 0)
  expect(box.told()).toEqual(['repaired B: slot B was empty'])
  expect(slotB()).toBe('1.0.0')
  expect(box.marks).toEqual({ order: ['A', 'B'], A: { ok: true, tries: 0 }, B: { ok: true, tries: 0 } })
})

test('a slot that rots is found, reported and repaired', async () => {
  await box.on()
  await box.until(() => box.told().length === 1)
  const slot = readFileSync(join(directory, 'slot-B'))
  slot[200_000] = (slot[200_000] ?? 0) ^ 1
  writeFileSync(join(directory, 'slot-B'), slot)
  leapMs += VERIFY_EVERY_MS
  await box.until(() => box.told().length === 2)
  expect(box.told()[1]).toMatch(/^repaired B: it is rotten: its sha256 is [0-9a-f]{64} instead of /)
  expect(slotB()).toBe('1.0.0')
})

test('a rotten running system hands over to the other slot, which repairs it', async () => {
  await box.on()
  await box.until(() => box.told().length === 1)
  await box.off()
  const slot = readFileSync(join(directory, 'slot-A'))
  slot[200_000] = (slot[200_000] ?? 0) ^ 1
  writeFileSync(join(directory, 'slot-A'), slot)
  await box.on()
  expect(box.info).toMatchObject({ slot: 'B', tried: ['A'] })
  await box.until(() => box.told().length === 2)
  expect(box.told()[1]).toBe('repaired A: system A did not come up 3 times')
  expect(systemIn(join(directory, 'slot-A'), SYSTEMS)).toBe('1.0.0')
})
