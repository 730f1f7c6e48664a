import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../engines/apt/apt.ts'
import { key, somebody } from '../harness.ts'
import { type RoomHarness, startRoom } from '../room-harness.ts'
import { buildLogKey, DEBIAN_SOURCES } from './build.ts'
import { registerBuilderJobs } from './jobs.ts'
import { type BuildManifest, BuildRequest, buildKey } from './model.ts'
import { builderRoutes } from './routes.ts'

const REQUEST = { builder: 'grub', targets: ['i386-pc/grub.pxe'] }
const signer = key()

let room: RoomHarness

beforeEach(async () => {
  const apt: Apt = { archive: async () => ({ codename: 'trixie', parts: [] }), reach: async () => [], fingerprint: async () => '' }
  const sources = DEBIAN_SOURCES
  room = await startRoom((deps) => {
    const kinds = registerBuilderJobs(deps.jobs, { ...deps, apt, sources })
    return builderRoutes({ ...deps, kinds, sources, signingKey: () => signer })
  })
})
afterEach(() => room.close())

test('a build is asked for, waited for, ready, and vouched for', async () => {
  const asked = await room.ask('POST', '/builds', REQUEST)
  expect([asked.status, asked.body.state, asked.body.request.prefix]).toEqual([202, 'waiting', '/boot/grub'])
  const { hash } = asked.body
  expect((await room.ask('POST', '/builds', { ...REQUEST, prefix: '/boot/grub' })).body.hash, 'the same wish').toBe(hash)
  expect([...room.jobs.all.keys()]).toEqual([hash])

  room.jobs.set(hash, { state: 'active', fraction: 0.3, text: '120 of 400 objects' })
  expect((await room.ask('GET', `/builds/${hash}`)).body).toMatchObject({ state: 'making', text: '120 of 400 objects', lines: ['a line'] })
  expect((await room.ask('GET', `/builds/${hash}/provenance`)).status).toBe(404)

  const manifest = await finish(hash)
  const ready = await room.ask('GET', `/builds/${hash}`)
  expect(ready.body).toMatchObject({ state: 'ready', manifest: { outputs: manifest.outputs, toolchain: { gcc: '4:14.2.0-1' } } })
  expect(ready.body.downloads['i386-pc/grub.pxe']).toMatch(/grub\.pxe/)
  expect((await room.ask('POST', '/builds', REQUEST)).status).toBe(200)

  const envelope = (await room.ask('GET', `/builds/${hash}/provenance`)).body
  expect(envelope.signatures[0].keyid).toBe(signer.kid)
  const statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString())
  expect(statement.subject).toEqual([{ name: 'i386-pc/grub.pxe', digest: { sha256: manifest.outputs[0]?.sha256 } }])
})

test('a build of one organisation does not exist for another', async () => {
  const { hash } = (await room.ask('POST', '/builds', REQUEST)).body
  for (const path of ['', '/log', '/provenance', '/progress'])
    expect((await room.ask('GET', `/builds/${hash}${path}`, undefined, 'b')).status).toBe(404)
  expect((await room.ask('POST', `/builds/${hash}/cancel`, undefined, 'b')).status).toBe(404)
  expect((await room.ask('GET', '/builds', undefined, 'b')).body.items).toEqual([])
})

test('who may only read builds starts none', async () => {
  const reader = somebody('a', ['builds:read'])
  expect((await room.ask('POST', '/builds', REQUEST, reader)).status).toBe(403)
  expect((await room.ask('GET', '/builds', undefined, reader)).status).toBe(200)
})

test('a failed build tells the first error and its whole log, and is built anew when asked for again', async () => {
  const { hash } = (await room.ask('POST', '/builds', REQUEST)).body
  room.jobs.set(hash, { state: 'failed', error: 'kern/a.c:3:1: error: oops' })
  const log = await room.bucket.put(gzipSync('gcc -c a.c\nkern/a.c:3:1: error: oops\n'), { name: 'build.log.gz' })
  await room.bucket.putDocument(buildLogKey(hash), { log: { ...log, name: 'build.log.gz' }, finishedAt: 1, error: 'x' })
  expect((await room.ask('GET', `/builds/${hash}`)).body).toMatchObject({ state: 'failed', error: 'kern/a.c:3:1: error: oops' })
  expect((await room.ask('GET', `/builds/${hash}/log`)).body).toBe('gcc -c a.c\nkern/a.c:3:1: error: oops\n')
  expect((await room.ask('POST', '/builds', REQUEST)).body.state).toBe('waiting')
  expect((await room.ask('GET', `/builds/${hash}/log`)).body, 'of the new try').toBe('a line\n')
})

test('cancelling stops the job; forgetting takes it off the list', async () => {
  const { hash } = (await room.ask('POST', '/builds', REQUEST)).body
  expect((await room.ask('POST', `/builds/${hash}/cancel`)).status).toBe(204)
  expect((await room.ask('GET', `/builds/${hash}`)).body.state).toBe('cancelled')
  expect((await room.ask('DELETE', `/builds/${hash}`)).status).toBe(204)
  expect((await room.ask('GET', '/builds')).body.items).toEqual([])
})

for (const { wrong, body, field } of [
  { wrong: 'an unknown target', body: { builder: 'grub', targets: ['vax/core.img'] }, field: 'targets[0]' },
  { wrong: 'an unknown field', body: { ...REQUEST, modul: [] }, field: 'modul' },
  { wrong: 'a script that is not iPXE', body: { builder: 'ipxe', targets: ['bin/ipxe.lkrn'], script: '#!/bin/sh\n' }, field: 'script' },
  { wrong: 'a directory of the manager', body: { ...REQUEST, source: { kind: 'directory', path: '/etc' } }, field: 'source.kind' },
])
  test(`${wrong} is refused, naming the field`, async () => {
    const answer = await room.ask('POST', '/builds', body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0].field).toBe(field)
    expect(room.jobs.all.size).toBe(0)
  })

test('a tarball is uploaded as it is, and by no other way', async () => {
  await room.ask('GET', '/builds') // who asks next
  const upload = (type: string, body: Uint8Array<ArrayBuffer> | undefined) =>
    room.harness.manager.app.request('/api/v1/sources?name=my ipxe~2.tar.gz', {
      method: 'POST',
      headers: { 'content-type': type },
      ...(body ? { body } : {}),
    })
  const bytes = new Uint8Array(2 * 1_048_576) // more than a JSON body may have
  const stored = await upload('application/octet-stream', bytes)
  expect(stored.status).toBe(201)
  const ref = (await stored.json()) as { sha256: string }
  expect(ref).toMatchObject({ bytes: bytes.length, name: 'my-ipxe-2.tar.gz' })
  expect(await room.bucket.head(ref.sha256)).toMatchObject({ bytes: bytes.length })
  expect((await upload('application/json', bytes)).status).toBe(415)
  expect((await upload('text/plain', bytes)).status, 'as a foreign page could').toBe(415)
  expect((await upload('application/octet-stream', undefined)).status).toBe(400)
})

async function finish(hash: string): Promise<BuildManifest> {
  const stored = await room.bucket.put(new TextEncoder().encode('loader'), { name: 'grub.pxe' })
  const manifest: BuildManifest = {
    kind: 'build',
    hash,
    request: BuildRequest.parse(REQUEST),
    source: {
      kind: 'debian',
      name: 'grub2',
      version: '2.12-9',
      files: [{ ...stored, name: 'grub2_2.12-9.dsc' }],
      from: 'http://mirror.example/',
    },
    outputs: [{ ...stored, name: 'i386-pc/grub.pxe' }],
    toolchain: { gcc: '4:14.2.0-1' },
    startedAt: 1_000,
    finishedAt: 2_000,
    seconds: 1,
  }
  await room.bucket.putDocument(buildKey(hash), manifest)
  return manifest
}
