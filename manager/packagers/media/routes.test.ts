import { verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../../engines/apt/apt.ts'
import { key } from '../../harness.ts'
import { type RoomHarness, startRoom } from '../../room-harness.ts'
import { BundleError } from './bundle/order.ts'
import { registerMediaJobs } from './jobs.ts'
import { createLinks } from './links.ts'
import { type MediaManifest, mediaKey } from './recipe.ts'
import { mediaRoutes } from './routes.ts'

const url = 'http://10.0.0.1/start.ipxe'
const signingKey = key()
let room: RoomHarness

beforeEach(async () => {
  const nothing = () => Promise.reject(new Error('no test asks apt'))
  const apt: Apt = { archive: nothing, reach: nothing, fingerprint: nothing }
  const sites = [
    { id: '0190-a', name: 'shop-7', lans: [{ address: '192.168.7.2' }] },
    { id: '0190-b', name: 'empty', lans: [] },
  ]
  room = await startRoom((deps) =>
    mediaRoutes({
      ...deps,
      kinds: registerMediaJobs(deps.jobs, { ...deps, apt }),
      signingKey,
      links: createLinks({ ...deps, random: (bytes) => new Uint8Array(bytes).fill(7) }),
      publicUrl: 'https://manager.example:8443',
      findSite: async (organisation, idOrName) =>
        organisation === 'a' ? sites.find(({ id, name }) => id === idOrName || name === idOrName) : undefined,
      orderBundle: () => Promise.reject(new BundleError('the state of site shop-7 is not compiled yet; ask again')),
    }),
  )
})
afterEach(() => room.close())

test('media are asked for, waited for, ready, signed, and shared by a short link', async () => {
  const asked = await room.ask('POST', '/media', { site: 'shop-7', outputs: ['iso', 'pxe'] })
  expect(asked.status).toBe(202)
  expect(asked.body).toMatchObject({
    state: 'waiting',
    target: { kind: 'site', id: '0190-a', servers: ['http://192.168.7.2'] },
    ways: [{ platform: 'bin', way: 'prebuilt' }, { platform: 'bin-x86_64-efi' }, { platform: 'bin-arm64-efi' }],
  })
  const { hash } = asked.body
  const again = await room.ask('POST', '/media', { outputs: ['pxe', 'iso'], site: '0190-a' })
  expect(again.body.hash, 'the same wish in other words').toBe(hash)
  expect([...room.jobs.all.keys()]).toEqual([hash])
  expect((await room.ask('GET', `/media/${hash}/signature`)).status).toBe(503)

  room.jobs.set(hash, { state: 'active', fraction: 0.3, text: 'making iso' })
  expect((await room.ask('GET', `/media/${hash}`)).body).toMatchObject({ state: 'making', lines: ['a line'] })
  const manifest = await finish(hash, asked.body)
  const ready = await room.ask('POST', '/media', { site: 'shop-7', outputs: ['iso', 'pxe'] })
  expect([ready.status, ready.body.state, ready.body.manifest.files]).toEqual([200, 'ready', manifest.files])

  const { body } = await room.ask('GET', `/media/${hash}/signature`)
  expect(await verifyDocument('manifest', body.jws, [signingKey])).toEqual(manifest)

  const link = await room.ask('POST', `/media/${hash}/links`, { file: 'x.iso', expiresInSeconds: 60 })
  expect(link.status).toBe(201)
  expect(link.body.url).toMatch(/^https:\/\/manager\.example:8443\/d\/[2-9a-hjkmnp-z]{10}$/)
  expect(link.body.download).toMatch(/^https:\/\/manager\.example:8443\/bucket\//)
  expect((await room.ask('GET', `/media/${hash}/links`)).body.items).toHaveLength(1)
  const file = await room.ask('GET', `/media/${hash}/files/x.iso`)
  expect([file.status, file.headers.get('location')]).toEqual([302, expect.stringContaining('name=x.iso')])
  const sha256 = manifest.files.iso?.[0]?.sha256
  expect((await room.ask('GET', `/media/${hash}/files/${sha256}`)).status).toBe(302)
  const twice = await room.ask('GET', `/media/${hash}/files/README.md`)
  expect([twice.status, twice.body.detail]).toEqual([400, expect.stringContaining('several files are named "README.md"')])
  const missing = await room.ask('POST', `/media/${hash}/links`, { file: 'y.iso' })
  expect([missing.status, missing.body.detail]).toEqual([404, 'there is no file among these media "y.iso"'])
  expect((await room.ask('DELETE', `/media/${hash}/links/${link.body.code}`, undefined, 'b')).status).toBe(404)
  expect((await room.ask('DELETE', `/media/${hash}/links/${link.body.code}`)).status).toBe(204)
})

test('media of one organisation do not exist for another', async () => {
  const { hash } = (await room.ask('POST', '/media', { url })).body
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/signature'],
    ['GET', '/links'],
    ['GET', '/files/x.iso'],
    ['POST', '/cancel'],
    ['DELETE', ''],
  ] as const)
    expect((await room.ask(method, `/media/${hash}${path}`, undefined, 'b')).status, path).toBe(404)
  expect((await room.ask('GET', '/media', undefined, 'b')).body.items).toEqual([])
})

test('failed media tell why, and are made anew when asked for again', async () => {
  const { hash } = (await room.ask('POST', '/media', { url })).body
  room.jobs.set(hash, { state: 'failed', error: 'package ipxe cannot be had' })
  expect((await room.ask('GET', `/media/${hash}`)).body.error).toBe('package ipxe cannot be had')
  expect((await room.ask('POST', '/media', { url })).body.state).toBe('waiting')
  expect((await room.ask('POST', `/media/${hash}/cancel`)).status).toBe(204)
  expect((await room.ask('GET', `/media/${hash}`)).body.state).toBe('cancelled')
  expect((await room.ask('DELETE', `/media/${hash}`)).status).toBe(204)
  expect((await room.ask('GET', '/media')).body.items).toEqual([])
})

for (const { wrong, recipe, status = 400, field, says } of [
  { wrong: 'an unknown output', recipe: { url, outputs: ['floppy'] }, field: 'outputs[0]', says: '"iso"' },
  { wrong: 'an unknown option', recipe: { url, loader: { htps: true } }, field: 'loader.htps', says: 'is not known here' },
  { wrong: 'a script that is not for iPXE', recipe: { script: '#!/bin/sh\nreboot' }, field: 'script', says: 'expected #!ipxe' },
  { wrong: 'an oversized script', recipe: { script: `#!ipxe\n${'#'.repeat(70_000)}` }, field: 'script', says: 'at most 65536' },
  {
    wrong: 'https without HTTPS',
    recipe: { url: 'https://a.example/', loader: { https: false } },
    field: 'loader.https',
    says: 'needs HTTPS',
  },
  {
    wrong: 'a Pi without arm64',
    recipe: { url, outputs: ['pi'], architectures: ['x86_64'] },
    field: 'outputs[0]',
    says: 'expected "arm64"',
  },
  { wrong: 'an unknown site', recipe: { site: 'nowhere' }, status: 422, field: 'site', says: 'there is no site "nowhere"' },
  { wrong: 'a site without a LAN', recipe: { site: 'empty' }, field: 'site', says: 'has no LAN yet' },
])
  test(`${wrong} is refused, naming the field`, async () => {
    const answer = await room.ask('POST', '/media', recipe)
    expect([answer.status, answer.body.errors[0].field]).toEqual([status, field])
    expect(answer.body.errors[0].message).toContain(says)
    expect(room.jobs.all.size).toBe(0)
  })

test("another organisation's site is no site", async () => {
  expect((await room.ask('POST', '/media', { site: 'shop-7' }, 'b')).status).toBe(422)
})

test('a bundle of a site that has no state yet is not begun', async () => {
  const answer = await room.ask('POST', '/media', { site: 'shop-7', outputs: ['bundle'] })
  expect([answer.status, answer.body.detail]).toEqual([503, 'the state of site shop-7 is not compiled yet; ask again'])
})

test('the API describes itself with these routes in it', async () => {
  const { status, body } = await room.ask('GET', '/openapi.json')
  expect(status).toBe(200)
  expect(Object.keys(body.paths)).toEqual(expect.arrayContaining(['/api/v1/media', '/api/v1/media/{hash}/links']))
})

async function finish(hash: string, { recipe, target, ways }: Pick<MediaManifest, 'recipe' | 'target' | 'ways'>): Promise<MediaManifest> {
  const ref = async (name: string) => ({ ...(await room.bucket.put(new TextEncoder().encode(name), { name })), name })
  const manifest: MediaManifest = {
    kind: 'media',
    ...{ hash, recipe, target, ways, script: '#!ipxe\n' },
    files: {
      iso: [await ref('x.iso')],
      pxe: [await ref('x-pxe.tar.gz'), await ref('README.md')],
      'secure-boot': [{ ...(await ref('another')), name: 'README.md' }],
    },
    parts: { ipxe: '1.21.1' },
    seconds: {},
  }
  await room.bucket.putDocument(mediaKey(hash), manifest)
  return manifest
}
