import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { silentLog } from '@bridgehead/shared/log.ts'
import { type ApplianceImageManifest, CONFIG_BYTES } from '@bridgehead/shared/model/appliance-image.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import { type FakeJobs, fakeJobs } from '../engines/jobs/fake-jobs.ts'
import { type Harness, newBox, newSite, somebody, startHarness } from '../harness.ts'
import { makeFrames } from './frames.ts'
import { registerApplianceJobs } from './jobs.ts'
import { putTestImage } from './test-image.ts'

let h: Harness
let bucket: Bucket
let jobs: FakeJobs
let directory: string
let manifest: ApplianceImageManifest
let disk: Buffer
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  bucket = testBucket(directory)
  jobs = fakeJobs()
  const clock = { now: () => 0, after: () => () => {}, every: () => () => {}, sleep: async () => {} }
  const kinds = registerApplianceJobs(jobs, { bucket, builder: undefined, clock, log: silentLog })
  h = await startHarness({ engines: { images: { bucket, jobs, kinds, ticketKey: new Uint8Array(32).fill(7) } } })
  const put = await putTestImage(bucket)
  await bucket.putDocument(`appliance-images/${put.manifest.hash}.json`, put.manifest)
  ;({ manifest, disk } = put)
})
afterEach(async () => {
  await h.close()
  await rm(directory, { recursive: true })
})

const frames = () => makeFrames(manifest, { bucket, progress: () => undefined, signal: new AbortController().signal })
/** Path of the download in one format. */
async function ticket(wish: object = {}, path = `/appliance-images/${manifest.hash}/tickets`) {
  const made = await h.ask('POST', path, wish)
  if (made.status !== 201) throw new Error(JSON.stringify(made.body))
  const url = (format: string) => new URL(made.body.downloads.find((one: { format: string }) => one.format === format).url)
  return { ...made.body, path: (format = 'img') => url(format).pathname + url(format).search }
}
async function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const answer = await h.manager.app.request(path, { headers, method })
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
}
const configIn = (bytes: Uint8Array) => {
  const { configOffset } = manifest.image
  return JSON.parse(Buffer.from(bytes.subarray(configOffset, configOffset + CONFIG_BYTES)).toString())
}

test('the disk of a site is the base image with its own bridgehead.json, by which a box enrols', async () => {
  const site = await newSite(h, 'berlin')
  const made = await ticket({
    site: 'berlin',
    uplink: { address: '10.0.0.7/24', gateway: '10.0.0.1', dns: ['10.0.0.1'] },
    lan: { nat: true },
  })
  const { status, bytes, headers } = await get(made.path())
  expect([status, bytes.length]).toEqual([200, disk.length])
  expect(headers.get('content-disposition')).toBe('attachment; filename="bridgehead-berlin-x86_64-1.0.0.img"')
  const config = configIn(bytes)
  expect(config).toEqual({
    bridgehead: 1,
    name: 'berlin',
    manager: 'https://manager.example:8443',
    fingerprint: 'f'.repeat(64),
    uplink: { address: '10.0.0.7/24', gateway: '10.0.0.1', dns: ['10.0.0.1'] },
    lan: { nat: true },
    token: expect.stringMatching(/^bhe_/),
  })
  const { configOffset } = manifest.image
  const own = bytes.subarray(configOffset, configOffset + CONFIG_BYTES)
  expect([own.subarray(0, 15).toString(), own.at(-1)]).toEqual(['{"bridgehead":1', 0x0a])
  const others = Buffer.from(bytes)
  others.set(disk.subarray(configOffset, configOffset + CONFIG_BYTES), configOffset)
  expect(others.equals(disk)).toBe(true)

  const box = newBox()
  const enrolled = await h.ask('POST', '/enrol', await box.request(config.token), null)
  expect([enrolled.status, enrolled.body.site]).toEqual([200, site])
  const spent = await get(made.path())
  expect([spent.status, JSON.parse(spent.bytes.toString()).code]).toEqual([410, 'token-expired'])
})

test('a generic image carries no token; its box shows a claim code', async () => {
  const made = await ticket()
  const config = configIn((await get(made.path())).bytes)
  expect(config).toEqual({ bridgehead: 1, manager: 'https://manager.example:8443', fingerprint: 'f'.repeat(64) })
  expect([made.site, made.tokenExpiresAt, made.downloads[0].fileName]).toEqual([undefined, undefined, 'bridgehead-x86_64-1.0.0.img'])
})

for (const format of ['img', 'img.zst', 'img.gz', 'img.xz'])
  test(`.${format}: the same bytes each time, in ranges too, and told by HEAD`, async () => {
    await frames()
    await newSite(h, 'berlin')
    const { path } = await ticket({ site: 'berlin' })
    const whole = await get(path(format))
    const head = await get(path(format), {}, 'HEAD')
    expect([head.status, head.bytes.length]).toEqual([200, 0])
    for (const name of ['content-length', 'etag', 'content-type', 'accept-ranges', 'content-disposition'])
      expect([name, head.headers.get(name)]).toEqual([name, whole.headers.get(name)])
    expect(whole.headers.get('content-length')).toBe(String(whole.bytes.length))
    const parts: Buffer[] = []
    for (let at = 0; at < whole.bytes.length; at += 65_000) {
      const part = await get(path(format), { range: `bytes=${at}-${at + 64_999}`, 'if-range': whole.headers.get('etag') ?? '' })
      expect(part.status).toBe(206)
      parts.push(part.bytes)
    }
    expect(Buffer.concat(parts).equals(whole.bytes)).toBe(true)
    const other = await ticket({ site: 'berlin' })
    expect((await get(other.path(format), {}, 'HEAD')).headers.get('etag')).not.toBe(whole.headers.get('etag'))
    expect((await get(path(format), { range: 'bytes=99999999-' })).status).toBe(416)
    expect((await get(path(format), { range: 'bytes=0-9', 'if-range': '"another"' })).status).toBe(200)
  })

test('concatenated frames unpack to the very disk', async () => {
  await frames()
  await newSite(h, 'berlin')
  const { path } = await ticket({ site: 'berlin' })
  const raw = (await get(path())).bytes
  expect(gunzipSync((await get(path('img.gz'))).bytes).equals(raw)).toBe(true)
  // zlib.zstdDecompressSync ends after the first frame; the interop test unpacks whole files with the programs that people use.
  const zst = (await get(path('img.zst'))).bytes
  expect(zstdDecompressSync(zst).subarray(0, 100).equals(raw.subarray(0, 100))).toBe(true)
})

test('compressed forms that are not made yet are asked for, and the answer says so', async () => {
  const { path } = await ticket()
  const answer = await get(path('img.xz'))
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '20'])
  expect(JSON.parse(answer.bytes.toString()).detail).toContain('format=img now')
  expect([...jobs.all.keys()]).toEqual([`frames-${manifest.image.sha256}`])
  expect((await h.ask('GET', `/appliance-images/${manifest.hash}`)).body.formats).toEqual(['img'])
  await frames()
  expect((await get(path('img.xz'))).status).toBe(200)
  expect((await h.ask('GET', `/appliance-images/${manifest.hash}`)).body.formats).toEqual(['img', 'img.zst', 'img.gz', 'img.xz'])
})

test('what the bucket has lost is said before the download begins; compressed forms are made again', async () => {
  const made = await frames()
  const { path } = await ticket()
  await bucket.delete(made.formats['img.zst']?.behind.sha256 ?? '')
  expect((await get(path('img.zst'))).status).toBe(503)
  expect([...jobs.all.keys()]).toEqual([`frames-${manifest.image.sha256}`])
  await frames()
  expect((await get(path('img.zst'))).status).toBe(200)
  await bucket.delete(manifest.image.raw.sha256)
  const lost = await get(path())
  expect([lost.status, JSON.parse(lost.bytes.toString()).detail]).toEqual([503, 'the bucket has lost this image; build it again'])
})

test('frames of an image whose bytes are not those of its manifest are not made', async () => {
  const wrong = { ...manifest, image: { ...manifest.image, sha256: createHash('sha256').update('x').digest('hex') } }
  const making = makeFrames(wrong, { bucket, progress: () => undefined, signal: new AbortController().signal })
  await expect(making).rejects.toThrow('build it again')
})

test('a ticket ends by its time, by being taken back (with its token), and with its site', async () => {
  await newSite(h, 'berlin')
  const short = await ticket({ site: 'berlin', expiresInSeconds: 60 })
  const back = await ticket({ site: 'berlin' })
  const gone = await ticket({ site: 'berlin' })
  expect((await h.ask('GET', '/image-tickets')).body.items.map((one: { id: string }) => one.id)).toEqual([gone.id, back.id, short.id])
  const { token } = configIn((await get(back.path())).bytes)
  h.clock.advance(60_000)
  expect((await get(short.path())).status).toBe(404)
  expect((await h.ask('DELETE', `/image-tickets/${back.id}`)).status).toBe(204)
  expect((await get(back.path())).status).toBe(404)
  expect((await h.ask('POST', '/enrol', await newBox().request(token), null)).body.code).toBe('token-unknown')
  expect((await h.ask('GET', '/image-tickets')).body.items).toHaveLength(1)
  await h.ask('DELETE', '/sites/berlin')
  expect((await get(gone.path())).status).toBe(404)
})

test('a copy of the database gives nobody the token, the passphrase or the address', async () => {
  await newSite(h, 'berlin')
  const made = await ticket({ site: 'berlin', uplink: { wifi: { ssid: 'shop', psk: 'correct horse battery' } } })
  const { token } = configIn((await get(made.path())).bytes)
  const code = made.path().split('/').at(-1)?.split('?')[0] ?? ''
  const copy = JSON.stringify([
    await h.db.selectFrom('image_tickets').selectAll().execute(),
    await h.db.selectFrom('enrolment_tokens').selectAll().execute(),
  ])
  for (const secret of [token, code, 'correct horse', Buffer.from('correct horse battery').toString('base64').slice(2, 20)])
    expect(copy).not.toContain(secret)
})

test('a link that is asked for too often rests', async () => {
  const { path } = await ticket()
  let last = await get(path(), {}, 'HEAD')
  for (let number = 0; number < 600; number++) last = await get(path(), {}, 'HEAD')
  expect([last.status, last.headers.get('retry-after')]).toEqual([429, '60'])
  h.clock.advance(60_000)
  expect((await get(path(), {}, 'HEAD')).status).toBe(200)
})

test('sixteen bodies at once are sent, and one that is given up makes room', async () => {
  const { path } = await ticket()
  const open = await Promise.all(Array.from({ length: 16 }, () => h.manager.app.request(path())))
  expect(open.map((answer) => answer.status)).toEqual(Array(16).fill(200))
  expect((await get(path())).status).toBe(429)
  await open[0]?.body?.cancel()
  expect((await get(path())).status).toBe(200)
  for (const answer of open.slice(1)) await answer.body?.cancel()
})

for (const { what, wish, field } of [
  { what: 'a gateway without address', wish: { uplink: { gateway: '10.0.0.1' } }, field: 'uplink.gateway' },
  { what: 'a gateway outside', wish: { uplink: { address: '10.0.0.7/24', gateway: '10.9.0.1' } }, field: 'uplink.gateway' },
  { what: 'a VLAN beyond 4094', wish: { uplink: { vlan: 5000 } }, field: 'uplink.vlan' },
  { what: 'a misspelt setting', wish: { uplink: { adress: '10.0.0.7/24' } }, field: 'uplink.adress' },
  { what: 'a passphrase that is too short', wish: { uplink: { wifi: { ssid: 'x', psk: '1234567' } } }, field: 'uplink.wifi.psk' },
  { what: 'a token of a year', wish: { tokenExpiresInSeconds: 31_536_000 }, field: 'tokenExpiresInSeconds' },
  { what: 'a disk with a blank', wish: { install: 'sda or so' }, field: 'install' },
  { what: 'a site that is not there', wish: { site: 'atlantis' }, field: 'site' },
])
  test(`a download with ${what} is refused, and names ${field}`, async () => {
    const refused = await h.ask('POST', `/appliance-images/${manifest.hash}/tickets`, wish)
    expect([400, 422]).toContain(refused.status)
    expect(refused.body.errors.map((one: { field: string }) => one.field)).toContain(field)
    expect(await h.db.selectFrom('enrolment_tokens').selectAll().execute()).toEqual([])
  })

test('for a site the newest image of the board is taken, unless one is named', async () => {
  await newSite(h, 'berlin')
  const newer = await putTestImage(bucket, { version: '1.10.0' })
  await bucket.putDocument(`appliance-images/${newer.manifest.hash}.json`, newer.manifest)
  expect((await ticket({}, '/sites/berlin/image-tickets')).image).toBe(newer.manifest.hash)
  expect((await ticket({ image: manifest.hash }, '/sites/berlin/image-tickets')).image).toBe(manifest.hash)
  const none = await h.ask('POST', '/sites/berlin/image-tickets', { board: 'rpi' })
  expect([none.status, none.body.errors[0].field]).toEqual([422, 'board'])
})

test('an image built elsewhere is taken in whole or not at all, and belongs to its organisation', async () => {
  const { manifest: foreign } = await putTestImage(bucket, { version: '3.0.0' })
  const send = (body: object, as: string | ReturnType<typeof somebody> = 'acme') => h.ask('POST', '/appliance-images/import', body, as)
  for (const { field, change } of [
    { field: 'slot.sha256', change: { slot: { ...foreign.slot, sha256: '0'.repeat(64) } } },
    { field: 'sbom.bytes', change: { sbom: { ...foreign.sbom, bytes: 99 } } },
    { field: 'blocks.bytes', change: { blocks: { ...foreign.blocks, bytes: 32 } } },
    { field: 'image.configOffset', change: { image: { ...foreign.image, configOffset: 512 } } },
    { field: 'image.configOffset', change: { image: { ...foreign.image, configOffset: foreign.image.raw.bytes } } },
    { field: 'hash', change: { hash: manifest.hash, image: { ...foreign.image, sha256: '1'.repeat(64) } } },
  ]) {
    const refused = await send({ ...foreign, ...change })
    expect([field, refused.body.errors?.map((one: { field: string }) => one.field)]).toEqual([field, [field]])
  }
  expect((await send(foreign, somebody('acme', ['images:read']))).status).toBe(403)
  expect((await send(foreign)).status).toBe(201)
  expect((await send(foreign)).status).toBe(201) // again, harmlessly
  const hashes = async (as: string) =>
    (await h.ask('GET', '/appliance-images', undefined, as)).body.items.map((one: { version: string }) => one.version)
  expect(await hashes('acme')).toEqual(['3.0.0', '1.0.0'])
  expect(await hashes('evil')).toEqual(['1.0.0'])
  expect((await h.ask('GET', `/appliance-images/${foreign.hash}`, undefined, 'evil')).status).toBe(404)
  expect((await h.ask('POST', `/appliance-images/${foreign.hash}/tickets`, {}, 'evil')).status).toBe(404)
  expect((await h.ask('POST', '/releases', { image: foreign.hash }, 'evil')).status).toBe(422)
  expect((await h.ask('DELETE', `/appliance-images/${foreign.hash}`)).status).toBe(204)
  expect(await hashes('acme')).toEqual(['1.0.0'])
})

test('files of an image are sent as they are, and refused when other bytes arrive', async () => {
  const send = (query: string, body: string, type = 'application/octet-stream') =>
    h.manager.app.request(`/api/v1/appliance-images/files?${query}`, { method: 'POST', body, headers: { 'content-type': type } })
  await h.ask('GET', '/sites') // signed in
  const sha256 = createHash('sha256').update('a slot').digest('hex')
  expect(await (await send(`name=slot.squashfs&sha256=${sha256}`, 'a slot')).json()).toEqual({ name: 'slot.squashfs', bytes: 6, sha256 })
  expect((await bucket.head(sha256))?.bytes).toBe(6)
  const refused = JSON.parse(await (await send(`name=slot.squashfs&sha256=${sha256}`, 'another')).text())
  expect([refused.code, refused.errors[0].field]).toEqual(['invalid', 'query.sha256'])
  expect((await send('name=slot', 'x', 'text/plain')).status).toBe(415)
  expect((await send('name=../slot', 'x')).status).toBe(400)
})
