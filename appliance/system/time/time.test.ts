import { createSocket } from 'node:dgram'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterAll, expect, test } from 'vitest'
import { askTime } from './sntp.ts'
import { createTimeKeeper, POOL } from './time.ts'

const directory = mkdtempSync(join(tmpdir(), 'bh-time-'))
afterAll(() => rmSync(directory, { recursive: true }))
const NOW = Date.parse('2026-11-22T12:00:00.250Z')
const FLOOR = Date.parse('2026-10-01T00:00:00Z')
let files = 0

/** A box whose clock stands at `at`; `behind` by server name, `undefined` for silence. */
function box({
  at,
  saved,
  behind = {},
  servers = [],
}: {
  at: number
  saved?: number
  behind?: Record<string, number>
  servers?: string[]
}) {
  const file = join(directory, `clock-${files++}`)
  if (saved !== undefined) writeFileSync(file, String(saved))
  const asked: string[] = []
  let now = at
  let naps = 0
  let rested = () => {}
  const resting = new Promise<void>((resolve) => {
    rested = resolve
  })
  const clock: Clock = {
    now: () => now,
    after: () => () => {},
    every: () => () => {},
    sleep: (ms, signal) => {
      if (ms <= 1000) {
        now += ms
        return Promise.resolve()
      }
      naps++
      rested()
      return new Promise((resolve) => signal?.addEventListener('abort', () => resolve()))
    },
  }
  const keeper = createTimeKeeper({
    helper: {
      setTime: async (ms) => {
        now = Math.round(ms / 1000) * 1000
      },
    },
    servers: () => servers,
    async ask(server) {
      asked.push(server)
      const found = behind[server]
      if (found === undefined) throw new Error('silence')
      return found
    },
    file,
    floor: FLOOR,
    clock,
    log: silentLog,
  })
  const run = async () => {
    await keeper.start()
    await resting
  }
  return { keeper, run, asked, now: () => now, naps: () => naps, saved: () => readFileSync(file, 'utf8').trim() }
}

for (const row of [
  { box: 'without a clock starts when its system was built', given: { at: 0 }, is: FLOOR },
  { box: 'goes on from the last known time', given: { at: 0, saved: FLOOR + 5_000 }, is: FLOOR + 5_000 },
  { box: 'with a good clock keeps it', given: { at: NOW, saved: FLOOR }, is: NOW },
  { box: 'passes over a saved time that is none', given: { at: 0, saved: Number.NaN }, is: FLOOR },
])
  test(`a box that ${row.box}`, async () => {
    const one = box(row.given)
    await one.run()
    expect(one.now()).toBe(row.is)
    expect(one.keeper.known()).toBe(false)
    await one.keeper.stop()
  })

test('the servers that were named are asked first; the first answer is set, on the second, and kept', async () => {
  const one = box({ at: FLOOR, behind: { 'ntp.lan': NOW - FLOOR }, servers: ['silent.lan', 'ntp.lan'] })
  await one.run()
  expect(one.asked).toEqual(['silent.lan', 'ntp.lan'])
  expect(one.now()).toBe(Math.ceil(NOW / 1000) * 1000)
  expect(one.keeper.known()).toBe(true)
  expect(Number(one.saved())).toBe(one.now())
  await one.keeper.stop()
})

test('a server that lives before this system was built is not believed', async () => {
  const one = box({ at: NOW, behind: { 'old.lan': -10 * 365 * 86_400_000, [POOL[0] ?? '']: 1_000 }, servers: ['old.lan'] })
  await one.run()
  expect(one.asked).toEqual(['old.lan', POOL[0]])
  expect(Math.abs(one.now() - (NOW + 1_000))).toBeLessThan(1_001)
  await one.keeper.stop()
})

test("the manager's clock counts while no server was heard, and only forwards", async () => {
  const one = box({ at: FLOOR })
  await one.run()
  one.keeper.hint(FLOOR - 1)
  expect(one.keeper.known()).toBe(false)
  one.keeper.hint(NOW)
  expect(one.now()).toBe(Math.round(NOW / 1000) * 1000)
  one.keeper.hint(FLOOR + 1_000)
  expect(one.now()).toBe(Math.round(NOW / 1000) * 1000)
  expect(one.keeper.known()).toBe(true)
  await one.keeper.stop()
})

test('a question and its answer over UDP', async () => {
  const server = createSocket('udp4')
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
  server.on('message', (question, from) => {
    const answer = Buffer.alloc(48)
    answer[0] = 0x24
    answer[1] = 1
    question.copy(answer, 24, 40)
    for (const at of [32, 40]) answer.writeUInt32BE(NOW / 1000 + 2_208_988_800 - 0.25, at)
    server.send(answer, from.port)
  })
  const behind = await askTime('127.0.0.1', () => NOW - 60_250, server.address().port)
  server.close()
  expect(behind).toBeCloseTo(60_000, -2)
})
