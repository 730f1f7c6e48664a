import { steppedClock } from '@bridgehead/shared/clock.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, newSite, startHarness } from '../harness.ts'
import { impatient } from './online.ts'

let h: Harness
let site: string
beforeEach(async () => {
  h = await startHarness()
  site = await newSite(h, 'berlin')
  await newSite(h, 'paris')
  const health = { ok: false, services: { dns: 'is silent' }, uplink: 'ok' as const }
  h.bus.online.set(site, { at: 7, version: '0.1.0', revision: 3, outbox: 2, counters: { 'dhcp.acks': 1 }, health })
})
afterEach(() => h.close())

const online = async () =>
  ((await h.ask('GET', '/sites')).body.items as { name: string; online?: unknown }[]).map((one) => [one.name, one.online])

test('a list of sites says which boxes are in touch; so do one site and its state', async () => {
  const shown = { at: 7, version: '0.1.0', revision: 3, outbox: 2, health: { ok: false, services: { dns: 'is silent' } } }
  expect(await online()).toEqual([
    ['berlin', shown],
    ['paris', undefined],
  ])
  expect((await h.ask('GET', `/sites/${site}`)).body.online).toEqual(shown)
  expect((await h.ask('GET', `/sites/${site}/state`)).body.online).toEqual(shown)
})

test('while Redis is away nobody knows, and the list comes all the same', async () => {
  h.bus.away = true
  expect(await online()).toEqual([
    ['berlin', undefined],
    ['paris', undefined],
  ])
})

test('a Redis that does not answer is waited for a second', async () => {
  const clock = steppedClock(0)
  const asked = impatient(() => new Promise(() => undefined), clock)(['a'])
  clock.advance(1_000)
  await expect(asked).rejects.toThrow('Redis did not answer within 1000 ms')
  await expect(impatient(async () => new Map(), clock)(['a'])).resolves.toEqual(new Map())
})
