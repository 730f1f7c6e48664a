import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { expect, test } from 'vitest'
import { createHealth, type SelfTest, Unanswered } from './health.ts'
import { createPulse } from './pulse.ts'

const turn = () => new Promise((resolve) => setTimeout(resolve, 5))

function health(tests: () => readonly SelfTest[]) {
  const clock = steppedClock()
  const one = createHealth({ tests, uplink: () => 'down', clock, monotonic: clock.now, log: silentLog })
  const round = async (ms = 5_000) => {
    clock.advance(ms)
    await turn()
  }
  return { ...one, clock, round }
}
const good = async () => {}

test('nothing is well before it was tried', async () => {
  const one = health(() => [{ service: 'dns', run: good }])
  expect(one.report().ok).toBe(false)
  expect(one.alive()).toBe(true)
  await one.start()
  await turn()
  expect(one.report()).toEqual({ ok: true, services: { dns: 'ok' }, uplink: 'down' })
})

test('one of two addresses that fails makes the service fail; what a new process cannot cure does not end this one', async () => {
  const one = health(() => [
    { service: 'dns', run: () => Promise.reject(new Error('cannot listen on 10.0.0.1:53')) },
    { service: 'dns', run: good },
  ])
  await one.start()
  await turn()
  for (let n = 0; n < 5; n++) await one.round()
  expect(one.report()).toMatchObject({ ok: false, services: { dns: 'cannot listen on 10.0.0.1:53' } })
  expect(one.alive()).toBe(true)
})

test('silence for three rounds is a process that should end; an answer heals it', async () => {
  let silent = true
  const one = health(() => [{ service: 'tftp', run: () => (silent ? Promise.reject(new Unanswered('silent')) : good()) }])
  await one.start()
  await turn()
  await one.round()
  expect(one.alive()).toBe(true)
  await one.round()
  expect(one.alive()).toBe(false)
  silent = false
  await one.round()
  expect(one.alive()).toBe(true)
})

test('a test that never ends is silence', async () => {
  const one = health(() => [{ service: 'store', run: () => new Promise(() => {}) }])
  await one.start()
  for (let n = 0; n < 3; n++) {
    await one.round(3_000)
    await one.round(5_000)
  }
  expect(one.report().services.store).toBe('no answer within 3 s')
  expect(one.alive()).toBe(false)
})

test('a watchdog that somebody else feeds is taken over as soon as it is free', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bh-pulse-'))
  const path = join(directory, 'watchdog')
  writeFileSync(path, '')
  const clock = steppedClock()
  let busy = true
  const open = (device: string) => {
    if (busy) throw Object.assign(new Error('busy'), { code: 'EBUSY' })
    return openSync(device, 'w')
  }
  const pulse = createPulse({ alive: () => true, file: join(directory, 'alive'), watchdog: path, open, clock, log: silentLog })
  await pulse.start()
  clock.advance(2_000)
  expect(readFileSync(path)).toHaveLength(0)
  busy = false
  clock.advance(4_000)
  expect(readFileSync(path)).toHaveLength(2)
  await pulse.stop()
  rmSync(directory, { recursive: true })
})

test('the file and the watchdog are touched while all is well', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bh-pulse-'))
  const file = join(directory, 'alive')
  const watchdog = join(directory, 'watchdog')
  writeFileSync(watchdog, '')
  const clock = steppedClock()
  let alive = true
  const pulse = createPulse({ alive: () => alive, file, watchdog, clock, log: silentLog })
  await pulse.start()
  expect(existsSync(file)).toBe(true)
  clock.advance(4_000)
  expect(readFileSync(watchdog)).toEqual(Buffer.alloc(3))
  alive = false
  const before = statSync(file).mtimeMs
  clock.advance(10_000)
  expect(statSync(file).mtimeMs).toBe(before)
  expect(readFileSync(watchdog)).toHaveLength(3)
  await pulse.stop()
  rmSync(directory, { recursive: true })
})
