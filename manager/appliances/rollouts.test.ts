import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import type { EventData } from '@bridgehead/shared/model/event.ts'
import { verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import { fakeJobs } from '../engines/jobs/fake-jobs.ts'
import { type Harness, newBox, newSite, startHarness } from '../harness.ts'
import { registerApplianceJobs } from './jobs.ts'
import { putTestImage } from './test-image.ts'

let h: Harness
let bucket: Bucket
let directory: string
let image: ApplianceImageManifest
const secrets: Record<string, string> = {}
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  bucket = testBucket(directory)
  const jobs = fakeJobs()
  const clock = { now: () => 0, after: () => () => {}, every: () => () => {}, sleep: async () => {} }
  const kinds = registerApplianceJobs(jobs, { bucket, builder: undefined, clock, log: silentLog })
  h = await startHarness({ engines: { images: { bucket, jobs, kinds, ticketKey: new Uint8Array(32) } } })
  image = await known('2.0.0')
})
afterEach(async () => {
  await h.close()
  await rm(directory, { recursive: true })
})

async function known(version: string): Promise<ApplianceImageManifest> {
  const { manifest } = await putTestImage(bucket, { version })
  await bucket.putDocument(`appliance-images/${manifest.hash}.json`, manifest)
  return manifest
}
const started = (change: Partial<EventData<'appliance.started'>> = {}) =>
  h.fact('appliance.started', {
    version: '1.0.0',
    sshPublicKey: 'ssh-ed25519 AAAA',
    board: 'x86_64',
    slot: 'A',
    image: '1.0.0',
    tries: 1,
    dataState: 'ok',
    ...change,
  })
/** A site whose box runs version 1. */
async function boxAt(name: string, tags = {}, organisation = 'acme'): Promise<string> {
  const site = await newSite(h, name, organisation, { tags })
  const { token } = (await h.ask('POST', `/sites/${name}/tokens`, {}, organisation)).body.config
  secrets[site] = (await h.ask('POST', '/enrol', await newBox(name).request(token), null)).body.secret
  await h.manager.ingest(site, [started()])
  return site
}
const update = (site: string, release: string, phase: EventData<'appliance.update'>['phase'], why?: string) =>
  h.manager.ingest(site, [h.fact('appliance.update', { release, version: '2.0.0', phase, ...(why === undefined ? {} : { why }) })])
const released = async (wish: object = {}) => (await h.ask('POST', '/releases', { image: image.hash, ...wish })).body
const stateOf = async (site: string) => (await h.ask('GET', `/sites/${site}/state`)).body.state
const toldSites = (rollout: { sites: { name: string; outcome: string }[] }) => rollout.sites.map((one) => `${one.name} ${one.outcome}`)

test('a release goes to the canary first, to the rest once that has committed, and every step is shown', async () => {
  const canary = await boxAt('canary', { ring: 'canary' })
  const paris = await boxAt('paris')
  const release = await released({ floor: '1.0.0', expiresInDays: 30 })
  expect(release).toMatchObject({
    board: 'x86_64',
    version: '2.0.0',
    manifest: { kind: 'release', boards: ['x86_64'], floor: '1.0.0', dataSchema: 1 },
  })
  const window = { from: '02:00', to: '04:00', timeZone: 'Europe/Berlin' }
  const made = await h.ask('POST', '/rollouts', { release: release.id, waves: [{ selector: 'ring=canary' }, { percent: 100 }], window })
  expect([made.status, made.body.state, toldSites(made.body)]).toEqual([201, 'running', ['canary told', 'paris waiting']])

  const state = await stateOf('canary')
  expect(state.appliance.window).toEqual(window)
  expect(state.appliance.release.id).toBe(release.id)
  const keys = [{ kid: h.signingKey.kid, kty: h.signingKey.kty, crv: h.signingKey.crv, x: h.signingKey.x }]
  expect(await verifyDocument('release', state.appliance.release.jws, keys)).toEqual(release.manifest)
  expect((await stateOf('paris')).appliance).toBeUndefined()

  await update(canary, release.id, 'fetching')
  await update(canary, release.id, 'trying')
  await h.manager.ingest(canary, [started({ version: '2.0.0', image: '2.0.0', slot: 'B' })])
  const during = (await h.ask('GET', `/rollouts/${made.body.id}`)).body
  expect(during.sites[0]).toMatchObject({
    outcome: 'updating',
    why: 'trying',
    booted: { version: '2.0.0', slot: 'B' },
    progress: { phase: 'trying' },
  })
  expect((await stateOf('paris')).appliance).toBeUndefined()

  await update(canary, release.id, 'committed')
  h.clock.advance(1_000) // the look that a fact asks for, not the one of a question
  await h.ask('GET', `/rollouts/${made.body.id}`)
  expect((await stateOf('paris')).appliance.release.id).toBe(release.id)
  await update(paris, release.id, 'committed')
  const done = (await h.ask('GET', `/rollouts/${made.body.id}`)).body
  expect([done.state, done.why, done.counts]).toEqual(['done', '2 of 2 sites run 2.0.0', { committed: 2 }])
  expect((await h.ask('GET', '/sites/canary')).body.appliance).toMatchObject({
    booted: { version: '2.0.0', slot: 'B', image: '2.0.0', board: 'x86_64', dataState: 'ok' },
    update: { release: release.id, phase: 'committed' },
  })
})

test('a bad version stops the rollout; the reason is at the rollout and at the site, and nobody else gets it', async () => {
  const canary = await boxAt('canary', { ring: 'canary' })
  await boxAt('paris')
  const release = await released()
  const { id } = (await h.ask('POST', '/rollouts', { release: release.id, waves: [{ selector: 'ring=canary' }, { percent: 100 }] })).body
  const why = 'DHCP gave no answer to its self-test'
  await h.manager.ingest(canary, [started()])
  await update(canary, release.id, 'rolled-back', why)
  const stopped = (await h.ask('GET', `/rollouts/${id}`)).body
  expect(stopped).toMatchObject({ state: 'stopped', why: `it failed on 1 site, and stops after 1 (canary: ${why})` })
  expect(stopped.sites[0]).toMatchObject({ outcome: 'failed', why, rollback: { version: '2.0.0', why } })
  expect((await h.ask('GET', '/sites/canary')).body.appliance.booted.rollback.why).toBe(why)
  for (const site of ['canary', 'paris']) expect((await stateOf(site)).appliance).toBeUndefined()
})

test('a paused rollout tells nobody else, a resumed one goes on, a stopped one calls back who has not switched', async () => {
  const [one, two] = [await boxAt('one', { ring: '1' }), await boxAt('two', { ring: '2' })]
  await boxAt('three', { ring: '2' })
  const release = await released()
  const { id } = (await h.ask('POST', '/rollouts', { release: release.id, waves: [{ selector: 'ring=1' }, { percent: 100 }] })).body
  expect((await h.ask('POST', `/rollouts/${id}/pause`)).body).toMatchObject({ state: 'paused', why: 'paused by test' })
  await update(one, release.id, 'committed')
  expect(toldSites((await h.ask('GET', `/rollouts/${id}`)).body)).toEqual(['one committed', 'three waiting', 'two waiting'])
  expect(toldSites((await h.ask('POST', `/rollouts/${id}/resume`)).body)).toEqual(['one committed', 'three told', 'two told'])
  await update(two, release.id, 'switched')
  expect((await h.ask('POST', `/rollouts/${id}/stop`)).body).toMatchObject({ state: 'stopped', why: 'stopped by test' })
  expect((await stateOf('one')).appliance.release.id).toBe(release.id)
  expect((await stateOf('two')).appliance.release.id).toBe(release.id) // its other system may be running already
  expect((await stateOf('three')).appliance).toBeUndefined()
  await update(two, release.id, 'rolled-back', 'no uplink')
  expect((await h.ask('GET', `/rollouts/${id}`)).body.sites[2]).toMatchObject({ name: 'two', outcome: 'failed', why: 'no uplink' })
  expect((await stateOf('two')).appliance).toBeUndefined()
  expect((await h.ask('POST', `/rollouts/${id}/resume`)).body.detail).toContain('the rollout is stopped')
})

test('a silent site holds the next wave up until a person passes over it', async () => {
  await boxAt('silent', { ring: '1' })
  await boxAt('paris')
  const release = await released()
  const { id } = (await h.ask('POST', '/rollouts', { release: release.id, waves: [{ selector: 'ring=1' }, { percent: 100 }] })).body
  const skipped = (await h.ask('POST', `/rollouts/${id}/sites/silent/skip`)).body
  expect(toldSites(skipped)).toEqual(['paris told', 'silent waiting'])
  expect((await h.ask('POST', `/rollouts/${id}/sites/atlantis/skip`)).status).toBe(404)
})

test('a site may fetch slot and index of the release that it was told, and of no other', async () => {
  const site = await boxAt('berlin')
  const fetch = (sha256: string) =>
    h.manager.uplink.request(`/artifacts/${sha256}`, {
      headers: { authorization: `Basic ${Buffer.from(`${site}:${secrets[site]}`).toString('base64')}` },
    })
  expect((await fetch(image.slot.sha256)).status).toBe(403)
  const release = await released()
  const { id } = (await h.ask('POST', '/rollouts', { release: release.id })).body
  await stateOf('berlin')
  for (const { sha256 } of [image.slot, image.blocks]) expect((await fetch(sha256)).status).toBe(302)
  expect((await fetch(image.image.raw.sha256)).status).toBe(403) // its base image is nothing for a box
  await h.ask('POST', `/rollouts/${id}/stop`)
  await stateOf('berlin')
  expect((await fetch(image.slot.sha256)).status).toBe(403)
})

test('the same content gives the same state again: a release is signed anew, not changed', async () => {
  await boxAt('berlin')
  const release = await released()
  await h.ask('POST', '/rollouts', { release: release.id })
  const { revision } = await stateOf('berlin')
  await h.manager.loadersChanged()
  expect((await stateOf('berlin')).revision).toBe(revision)
})

test('the newest rollout counts, and two at a time for the same boxes are refused', async () => {
  const site = await boxAt('berlin')
  const first = await released()
  const running = (await h.ask('POST', '/rollouts', { release: first.id })).body
  const { manifest } = await putTestImage(bucket, { version: '2.1.0' })
  await bucket.putDocument(`appliance-images/${manifest.hash}.json`, manifest)
  const second = (await h.ask('POST', '/releases', { image: manifest.hash })).body
  const both = await h.ask('POST', '/rollouts', { release: second.id })
  expect([both.status, both.body.code]).toEqual([409, 'in-use'])
  expect(both.body.detail).toContain(`rollout ${running.id} (2.0.0) is under way at site "berlin"`)
  expect((await h.ask('GET', '/rollouts')).body.items).toHaveLength(1) // nothing of the refused one stayed
  await update(site, first.id, 'committed')
  await h.ask('GET', `/rollouts/${running.id}`)
  expect((await h.ask('POST', '/rollouts', { release: second.id })).status).toBe(201)
  expect((await stateOf('berlin')).appliance.release.id).toBe(second.id)
})

test('a successor of another board is not given what its predecessor was told', async () => {
  const site = await boxAt('berlin')
  const release = await released()
  await h.ask('POST', '/rollouts', { release: release.id })
  const { token } = (await h.ask('POST', '/sites/berlin/tokens', {})).body.config
  await h.ask('POST', '/enrol', await newBox('pi').request(token), null)
  expect((await h.ask('GET', '/sites/berlin')).body.appliance.booted).toBeUndefined()
  await h.ask('PATCH', '/sites/berlin', { tags: { a: 'b' } })
  expect((await stateOf('berlin')).appliance).toBeUndefined() // it has not said what it is
  await h.manager.ingest(site, [started({ board: 'rpi' })])
  expect((await stateOf('berlin')).appliance).toBeUndefined()
  await h.manager.ingest(site, [started({ board: 'x86_64' })])
  expect((await stateOf('berlin')).appliance.release.id).toBe(release.id)
})

test('a card of a newer image than the release is left alone, unless going back was ordered', async () => {
  const site = await boxAt('berlin')
  const release = await released()
  const { id } = (await h.ask('POST', '/rollouts', { release: release.id })).body
  await update(site, release.id, 'committed')
  await h.ask('GET', `/rollouts/${id}`)
  await h.manager.ingest(site, [started({ image: '2.10.0' })])
  expect((await stateOf('berlin')).appliance).toBeUndefined()
  const back = await released({ rollback: true })
  await h.ask('POST', '/rollouts', { release: back.id })
  expect((await stateOf('berlin')).appliance.release.id).toBe(back.id)
})

test("another organisation's releases and rollouts are not found", async () => {
  await boxAt('berlin')
  const release = await released()
  const { id } = (await h.ask('POST', '/rollouts', { release: release.id })).body
  for (const [method, path] of [
    ['GET', `/releases/${release.id}`],
    ['GET', `/rollouts/${id}`],
    ['POST', `/rollouts/${id}/pause`],
    ['POST', `/rollouts/${id}/resume`],
    ['POST', `/rollouts/${id}/stop`],
    ['POST', `/rollouts/${id}/sites/berlin/skip`],
  ] as const)
    expect([path, (await h.ask(method, path, undefined, 'evil')).status]).toEqual([path, 404])
  expect((await h.ask('GET', '/releases', undefined, 'evil')).body.items).toEqual([])
  expect((await h.ask('POST', '/rollouts', { release: release.id }, 'evil')).body.errors[0].field).toBe('release')
})

for (const { what, wish, field } of [
  { what: 'of no release', wish: { release: 'r9' }, field: 'release' },
  { what: 'for nobody', wish: { selector: 'region=moon' }, field: 'selector' },
  { what: 'with a selector that is none', wish: { selector: 'a=b,c in (d' }, field: 'selector' },
  { what: 'with a share of 120', wish: { waves: [{ percent: 120 }] }, field: 'waves[0].percent' },
  { what: 'with a window at 25 o’clock', wish: { window: { from: '25:00', to: '04:00' } }, field: 'window.from' },
  {
    what: 'with a window on the moon',
    wish: { window: { from: '01:00', to: '04:00', timeZone: 'Moon/Crater' } },
    field: 'window.timeZone',
  },
  { what: 'that never stops', wish: { stopAfterFailures: 0 }, field: 'stopAfterFailures' },
])
  test(`a rollout ${what} is refused, and names ${field}`, async () => {
    await boxAt('berlin')
    const refused = await h.ask('POST', '/rollouts', { release: (await released()).id, ...wish })
    expect([400, 422]).toContain(refused.status)
    expect(refused.body.errors[0].field).toBe(field)
    expect((await h.ask('GET', '/rollouts')).body.items).toEqual([])
  })
