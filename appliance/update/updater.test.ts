import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { VERIFY_EVERY_MS } from './decide.ts'
import { type Bucket, indexOf, makeDisk, makeSystem, manifestOf, openBucket, systemIn } from './fake-box.ts'
import { FakeMachine, makeKey, stateWith, WELL } from './fake-machine.ts'

vi.setConfig({ testTimeout: 30_000 }) // half a second each, but they write and sync: other work on the disk may hold them up

/** A quarter of an hour of trial takes half a second. */
const SPEED = 2_000
const OLD = makeSystem('1.0.0')
const NEW = makeSystem('1.1.0')
const SYSTEMS = [OLD, NEW]

const key = makeKey('manager')

let directory = ''
let bucket: Bucket
let box: FakeMachine
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updater-'))
  bucket = await openBucket()
  for (const system of SYSTEMS) {
    bucket.put(system)
    bucket.put(indexOf(system))
  }
  makeDisk(directory, OLD)
  box = new FakeMachine({ directory, systems: SYSTEMS, bucket, keys: [key], speed: SPEED })
})
afterEach(async () => {
  await box.off()
  await bucket.close()
  await rm(directory, { recursive: true, force: true })
})
const slotB = () => systemIn(join(directory, 'slot-B'), SYSTEMS)

describe('an update', () => {
  test('is fetched, switched to, tried and committed, and only what changed travels', async () => {
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW), key))
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
    box.wants(await stateWith(manifestOf('1.1.0', NEW), key))
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
    box.wants(await stateWith(manifestOf('1.1.0', NEW), key))
    await box.until(() => box.told().some((line) => line.startsWith('rolled-back')))
    expect(box.told()).toEqual([
      'written',
      'switched',
      'trying',
      'rolled-back: not healthy within 15 minutes: dhcp: no answer to a DISCOVER',
    ])
    expect(box.info?.version).toBe('1.0.0')
    expect(box.updater?.status().rollback).toMatchObject({ version: '1.1.0' })
    await box.off()
    await box.on()
    expect(box.started).toMatchObject({
      slot: 'A',
      image: '1.0.0',
      rollback: { release: 'r1', version: '1.1.0', why: expect.stringContaining('DISCOVER') },
    })
  })

  test('that loses the uplink is given up', async () => {
    box.health['1.1.0'] = { ...WELL, uplink: 'down' }
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW), key))
    await box.until(() => box.told().some((line) => line.startsWith('rolled-back')))
    expect(box.told().at(-1)).toBe('rolled-back: not healthy within 15 minutes: the uplink is down')
  })

  test('at a site whose uplink did not work before is committed on local health', async () => {
    box.health['1.0.0'] = { ...WELL, uplink: 'down' }
    box.health['1.1.0'] = { ...WELL, uplink: 'down' }
    await box.on()
    box.wants(await stateWith(manifestOf('1.1.0', NEW), key))
    await box.until(() => box.told().at(-1) === 'committed')
  })
})

for (const { release, change = {}, signer = 'manager', why } of [
  { release: 'for another board', change: { boards: ['rpi'] }, why: /^refused: 1.1.0 is for rpi; this box is x86_64$/ },
  { release: 'that expired', change: { expiresAt: Date.UTC(2026, 5, 1) }, why: /^refused: 1.1.0 expired on 2026-06-01; today is / },
  {
    release: 'whose floor is above this box',
    change: { floor: '1.0.5' },
    why: /^refused: 1.1.0 takes boxes from 1.0.5 on; this one runs 1.0.0/,
  },
  { release: 'that is older', change: { version: '0.9.0', floor: '0.1.0' }, why: /^refused: 0.9.0 is older than 1.0.0, which runs/ },
  { release: 'signed with a key of the same name', signer: 'manager again', why: /^refused: signature does not verify/ },
  { release: 'signed by a stranger', signer: 'stranger', why: /^refused: signed by key "stranger", which this side does not trust$/ },
])
  test(`a release ${release} is refused once, and the slot stays untouched`, async () => {
    const before = readFileSync(join(directory, 'slot-B'))
    box.health['1.0.0'] = { ...WELL, ok: false } // keeps upkeep away from the slot
    await box.on()
    const signedBy = signer === 'manager' ? key : makeKey(signer.split(' ')[0] ?? '')
    box.wants(await stateWith(manifestOf('1.1.0', NEW, change), signedBy))
    await box.until(() => box.told().length > 0)
    await systemClock.sleep(20)
    expect(box.told()).toEqual([expect.stringMatching(why)])
    expect(readFileSync(join(directory, 'slot-B')).equals(before)).toBe(true)
    expect(bucket.sent().requests).toBe(0)
  })

/** The fake clock begins on a Sunday at noon. */
const WEDNESDAY = { days: [3], from: '00:00', to: '00:00' }
const UNTIL_WEDNESDAY_MS = 61 * 3_600_000

test('a release waits for its window, and says so', async () => {
  await box.on()
  box.wants(await stateWith(manifestOf('1.1.0', NEW), key, { window: WEDNESDAY }))
  await box.until(() => box.told().length === 2)
  expect(box.told()).toEqual(['written', 'waiting: waits for the maintenance window'])
  expect(box.marks).toEqual({ order: ['A', 'B'], A: { ok: true, tries: 0 }, B: { ok: true, tries: 0 } }) // whole, so fit to fall back to
  box.leapMs += UNTIL_WEDNESDAY_MS
  await box.until(() => box.told().at(-1) === 'committed')
})

test('a release that is taken back before its window leaves the box as it was', async () => {
  await box.on()
  const state = await stateWith(manifestOf('1.1.0', NEW), key, { window: WEDNESDAY })
  box.wants(state)
  await box.until(() => box.told().length === 2)
  const { appliance: _, ...without } = state
  box.wants(without)
  box.leapMs += UNTIL_WEDNESDAY_MS
  await systemClock.sleep(50)
  expect(box.told()).toHaveLength(2)
  expect(box.updater?.status()).toMatchObject({ doing: 'idle', running: { slot: 'A', version: '1.0.0' } })
})

test('an environment that cannot be read is written anew, and what is whole may start', async () => {
  await box.on()
  await box.until(() => box.told().length === 1)
  await box.off()
  const rubbish = Buffer.alloc(1024, 0x23)
  writeFileSync(join(directory, 'grubenv'), rubbish)
  await box.daemon()
  await box.until(() => !readFileSync(join(directory, 'grubenv')).equals(rubbish))
  expect(box.marks).toEqual({ order: ['A', 'B'], A: { ok: true, tries: 0 }, B: { ok: true, tries: 0 } })
})

test('a card that was flashed anew is taken as it is, whatever the kept data say', async () => {
  await box.on()
  box.wants(await stateWith(manifestOf('1.1.0', NEW), key))
  await box.until(() => box.told().at(-1) === 'committed')
  await box.off()
  const newer = makeSystem('1.2.0')
  SYSTEMS.push(newer)
  makeDisk(directory, newer)
  await box.on()
  expect(box.info).toMatchObject({ slot: 'A', version: '1.2.0' })
  await box.until(() => box.told().some((line) => line.startsWith('repaired B')))
  expect(slotB()).toBe('1.2.0')
})

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
  box.leapMs += VERIFY_EVERY_MS
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
  expect(box.started).toMatchObject({ slot: 'B', board: 'x86_64', image: '1.0.0', dataState: 'ok', skipped: ['A'], tries: 1 })
  await box.until(() => box.told().length === 2)
  expect(box.told()[1]).toBe('repaired A: system A did not come up 3 times')
  expect(systemIn(join(directory, 'slot-A'), SYSTEMS)).toBe('1.0.0')
})
