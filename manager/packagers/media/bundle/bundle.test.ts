import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createSigningKey } from '@bridgehead/appliance/uplink/identity.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { BundleHead } from '@bridgehead/shared/model/bundle.ts'
import { fingerprintOf, signDocument, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { extract } from 'tar-stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Bucket } from '../../../engines/bucket/bucket.ts'
import { testBucket } from '../../../engines/bucket/test-bucket.ts'
import { makeBundle } from './make.ts'
import { type BundleSource, orderBundle, tarBytes } from './order.ts'

const KEY = createSigningKey()
const SITE = '01900000-0000-7000-8000-00000000000a'
const go = new AbortController().signal
let directory = ''
let bucket: Bucket
let kernel: ArtifactRef
let loader: ArtifactRef
let stick: ArtifactRef

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bundle-'))
  bucket = testBucket(directory, systemClock)
  const put = async (bytes: Buffer, name: string) => ({ ...(await bucket.put(bytes, { name })), name })
  kernel = await put(randomBytes(700_001), 'vmlinuz')
  loader = await put(randomBytes(512), 'undionly.kpxe')
  stick = await put(Buffer.from('a stick'), 'site.img')
})
afterEach(() => rm(directory, { recursive: true }))

function source(over: object = {}): BundleSource {
  const target = { kernel, initrd: kernel, cmdline: '' }
  const state = {
    ...{
      protocol: 1,
      site: SITE,
      name: 'Straße 7 / Nürnberg',
      revision: 3,
      at: 1_800_000_000_000,
      tags: {},
      lans: [],
      hosts: [],
      rules: [],
    },
    ...{ scripts: [], keys: [], dns: {}, loaders: { 'undionly.kpxe': loader } },
    profiles: [{ id: 'p', name: 'p', version: 1, targets: { x86_64: target } }],
    ...over,
  }
  return { signedState: () => signDocument('state', state, KEY), signingKeys: [KEY], bucket }
}

async function entriesIn(bytes: Buffer) {
  const found: { name: string; body: Buffer }[] = []
  const tar = extract()
  Readable.from([bytes]).pipe(tar)
  for await (const entry of tar) found.push({ name: entry.header.name, body: await buffer(entry) })
  return found
}
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('the file holds the signed head, the signed state, each artifact once, then the media', async () => {
  const order = await orderBundle(SITE, [stick], source())
  expect(order).toMatchObject({ name: 'bridgehead-Stra-e-7-N-rnberg-3.tar', revision: 3, fingerprint: await fingerprintOf(KEY) })
  const made = await makeBundle(order, { bucket, signal: go })
  const bytes = await buffer(await bucket.get(made.sha256))
  expect(bytes.length).toBe(order.bytes)
  const [head, state, ...rest] = await entriesIn(bytes)
  expect([head?.name, state?.name]).toEqual(['bundle.jws', 'state.jws'])
  const payload = BundleHead.parse(await verifyDocument('bundle', String(head?.body), [KEY]))
  expect(payload.managerKeys).toEqual([{ kid: KEY.kid, kty: 'OKP', crv: 'Ed25519', x: KEY.x }])
  expect(await verifyDocument('state', String(state?.body), [KEY])).toMatchObject({ revision: 3 })
  const artifacts = [kernel, loader].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
  expect(payload).toMatchObject({ artifacts, media: [stick] })
  expect(rest.map(({ name }) => name)).toEqual([...artifacts.map((ref) => `artifacts/${ref.sha256}`), `media/${stick.sha256}`])
  for (const { name, body } of rest) expect(sha256(body)).toBe(name.split('/')[1])
})

test('made twice, it is the same file', async () => {
  const first = await makeBundle(await orderBundle(SITE, [stick], source()), { bucket, signal: go })
  const second = await makeBundle(await orderBundle(SITE, [stick, stick], source()), { bucket, signal: go })
  expect(second).toEqual(first)
})

test('no private key leaves the manager', async () => {
  const order = await orderBundle(SITE, [], source())
  const made = await makeBundle(order, { bucket, signal: go })
  const [head] = await entriesIn(await buffer(await bucket.get(made.sha256)))
  const payload = Buffer.from(String(head?.body).split('.')[1] ?? '', 'base64url').toString()
  expect(`${payload}${JSON.stringify(order)}`).not.toContain(KEY.d)
})

test('what the bucket has lost is named, before anything is signed or packed', async () => {
  await bucket.delete(kernel.sha256)
  await expect(orderBundle(SITE, [], source())).rejects.toThrow(`the bucket has lost vmlinuz (${kernel.sha256})`)
})

test('what is lost between order and packing leaves no bundle', async () => {
  const order = await orderBundle(SITE, [], source())
  await bucket.delete(loader.sha256)
  await expect(makeBundle(order, { bucket, signal: go })).rejects.toThrow('the bucket has lost undionly.kpxe')
})

test('a site without a state yet is told so', async () => {
  await expect(orderBundle(SITE, [], { ...source(), signedState: async () => undefined })).rejects.toThrow('not compiled yet')
})

test('cancelled while it packs, it leaves nothing', async () => {
  const order = await orderBundle(SITE, [], source())
  const before = await held()
  const cancel = new AbortController()
  const slow = {
    ...bucket,
    get: async (sha: string) => Readable.from(drip(await bucket.get(sha), () => cancel.abort(new Error('cancelled')))),
  }
  await expect(makeBundle(order, { bucket: slow, signal: cancel.signal })).rejects.toThrow()
  expect(await held()).toBe(before)
})

async function held(): Promise<number> {
  let count = 0
  for await (const _ of bucket.list()) count++
  return count
}

async function* drip(body: AsyncIterable<Uint8Array>, first: () => void) {
  for await (const chunk of body) {
    yield chunk
    first()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('the size is known beforehand, to the byte', () => {
  expect(tarBytes([])).toBe(1024)
  expect(tarBytes([{ bytes: 0 }, { bytes: 1 }, { bytes: 512 }, { bytes: 513 }])).toBe(1024 + 512 + 1024 + 1024 + 1536)
})
