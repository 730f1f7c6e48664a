import { sseReader } from '@bridgehead/shared/wire/sse.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../engines/apt/apt.ts'
import { ArchiveError } from '../engines/apt/archive.ts'
import { type RoomHarness, startRoom } from '../room-harness.ts'
import { registerPackagerJobs } from './jobs.ts'
import { type HostImageManifest, HostImageRecipe, manifestKey } from './recipe.ts'
import { packagerRoutes } from './routes.ts'

let room: RoomHarness
let archive: () => Promise<Awaited<ReturnType<Apt['archive']>>>

beforeEach(async () => {
  archive = async () => ({ codename: 'trixie', parts: [] })
  const apt: Apt = { archive: () => archive(), reach: async () => [], fingerprint: async () => '' }
  room = await startRoom((deps) => packagerRoutes({ ...deps, apt, kinds: registerPackagerJobs(deps.jobs, { ...deps, apt }) }))
})
afterEach(() => room.close())

test('an image is asked for, waited for, ready, and makes a profile', async () => {
  const asked = await room.ask('POST', '/images', { kernel: 'cloud' })
  expect(asked.status).toBe(202)
  expect(asked.body).toMatchObject({ state: 'waiting', recipe: { suite: 'trixie', kernel: 'cloud' } })
  const { hash } = asked.body
  expect((await room.ask('POST', '/images', {})).body.hash, 'the same wish').toBe(hash)
  expect([...room.jobs.all.keys()]).toEqual([hash])

  room.jobs.set(hash, { state: 'active', fraction: 0.3, text: 'installing' })
  expect((await room.ask('GET', `/images/${hash}`)).body).toMatchObject({
    state: 'making',
    fraction: 0.3,
    text: 'installing',
    lines: ['a line'],
  })
  const manifest = await finish(hash)
  const ready = await room.ask('GET', '/images')
  expect(ready.body.items).toMatchObject([{ hash, state: 'ready', target: { image: manifest.image, imageBytes: 10 } }])
  expect((await room.ask('POST', '/images', {})).status).toBe(200)

  const { target } = ready.body.items[0]
  const profile = await room.ask('POST', '/profiles', { name: 'debian', targets: { x86_64: target } })
  expect([profile.status, profile.body.targets?.x86_64]).toEqual([201, target])
})

test('its progress tells the log line by line, and goes on after the line that a reader had', async () => {
  const { hash } = (await room.ask('POST', '/images', { kernel: 'cloud' })).body
  room.jobs.set(hash, { state: 'active', fraction: 0.3, text: 'installing' })
  for (const line of ['Get:1 base-files', 'Get:2 bash', 'Get:3 libc6']) room.jobs.log(hash, line)
  const follow = async (rest = '', headers = {}) => {
    const answer = await room.harness.manager.app.request(`/api/v1/images/${hash}/progress${rest}`, { headers })
    return sseReader()(await answer.text()).map(({ id, event, data }) => ({ id, event, data: JSON.parse(data) }))
  }
  const all = await follow()
  expect(all).toMatchObject([
    { id: '3', event: 'log', data: [{ id: 1, text: 'Get:1 base-files' }, { text: 'Get:2 bash' }, { text: 'Get:3 libc6' }] },
    { id: undefined, event: 'image', data: { hash, state: 'making', text: 'installing' } },
  ])
  expect((await follow('', { 'last-event-id': '2' }))[0]).toMatchObject({ id: '3', data: [{ id: 3 }] })
  expect((await follow('?after=3')).map(({ event }) => event)).toEqual(['image'])
  room.jobs.set(hash, { state: 'failed', error: 'no such package' })
  expect(await follow('?after=3')).toMatchObject([{ event: 'image', data: { state: 'failed', error: 'no such package' } }])
})

test('an image of one organisation does not exist for another', async () => {
  const { hash } = (await room.ask('POST', '/images', {})).body
  expect((await room.ask('GET', `/images/${hash}`, undefined, 'b')).status).toBe(404)
  expect((await room.ask('POST', `/images/${hash}/cancel`, undefined, 'b')).status).toBe(404)
  expect((await room.ask('GET', '/images', undefined, 'b')).body.items).toEqual([])
})

test('a failed image tells why, and is made anew when asked for again', async () => {
  const { hash } = (await room.ask('POST', '/images', {})).body
  room.jobs.set(hash, { state: 'failed', error: 'no such package' })
  expect((await room.ask('GET', `/images/${hash}`)).body).toMatchObject({
    state: 'failed',
    error: 'no such package',
  })
  expect((await room.ask('POST', '/images', {})).body.state).toBe('waiting')
  room.jobs.all.delete(hash)
  expect((await room.ask('GET', `/images/${hash}`)).body.error).toMatch(/lost/)
})

test('cancelling stops the job; forgetting takes it off the list', async () => {
  const { hash } = (await room.ask('POST', '/images', {})).body
  expect((await room.ask('POST', `/images/${hash}/cancel`)).status).toBe(204)
  expect((await room.ask('GET', `/images/${hash}`)).body.state).toBe('cancelled')
  expect((await room.ask('DELETE', `/images/${hash}`)).status).toBe(204)
  expect((await room.ask('GET', '/images')).body.items).toEqual([])
})

test('whoever follows an image hears of it at least once, with or without a job', async () => {
  const { hash } = (await room.ask('POST', '/images', {})).body
  const follow = async () => (await room.ask('GET', `/images/${hash}/progress`)).body
  expect(await follow()).toMatch(/^event: image\ndata: \{.*"state":"waiting".*\}\n\n$/)
  await finish(hash)
  room.jobs.all.delete(hash)
  expect(await follow()).toMatch(/^event: image\ndata: \{.*"state":"ready".*\}\n\n$/)
  expect((await room.ask('GET', `/images/${hash}/progress`, undefined, 'b')).status).toBe(404)
})

for (const { wrong, body, field } of [
  { wrong: 'an architecture that cannot be made here', body: { architecture: 'arm64' }, field: 'architecture' },
  { wrong: 'an unknown field', body: { kernl: 'cloud' }, field: 'kernl' },
  { wrong: 'something that is not a package', body: { packages: ['a b'] }, field: 'packages[0]' },
])
  test(`${wrong} is refused, naming the field`, async () => {
    const answer = await room.ask('POST', '/images', body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0].field).toBe(field)
    expect(room.jobs.all.size).toBe(0)
  })

test('a machine whose apt knows no Debian says so', async () => {
  archive = () => Promise.reject(new ArchiveError('apt on this machine knows no Debian archive'))
  const answer = await room.ask('POST', '/images', {})
  expect([answer.status, answer.body.detail]).toEqual([503, 'apt on this machine knows no Debian archive'])
})

async function finish(hash: string): Promise<HostImageManifest> {
  const ref = async (name: string) => ({ ...(await room.bucket.put(new TextEncoder().encode(name), { name })), name })
  const manifest: HostImageManifest = {
    kind: 'host-image',
    hash,
    recipe: { ...HostImageRecipe.parse({}), suite: 'trixie' },
    image: await ref('disk'),
    imageBytes: 10,
    kernel: await ref('vmlinuz'),
    initrd: await ref('initrd'),
    kernelVersion: '6',
    packages: { bash: '5' },
    seconds: {},
  }
  await room.bucket.putDocument(manifestKey(hash), manifest)
  return manifest
}
