import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BIG, breakAfter, type CacheRig, cacheRig, refOf, SMALL, serve } from './cache-rig.ts'

let rig: CacheRig
beforeEach(async () => {
  rig = await cacheRig()
})
afterEach(() => rig.close())

test('a broken connection is taken up where it broke', async () => {
  const ref = refOf(BIG)
  rig.handle = breakAfter(300_000)
  await rig.cache.start()
  rig.cache.want([ref])
  await rig.cache.ensure(ref.sha256)
  const starts = rig.asked.map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]))
  expect(starts[0]).toBe(0)
  expect(starts.length).toBeGreaterThanOrEqual(3)
  // What Node had received but not handed over when the connection broke is asked for again: at most its buffers, never from the start.
  for (const [index, start] of starts.entries())
    if (index > 0) expect(start - (starts[index - 1] ?? 0)).toSatisfy((step: number) => step > 100_000 && step <= 300_000)
})

test('a new process goes on from what the last one left', async () => {
  const ref = refOf(BIG)
  await writeFile(join(rig.directory, `${ref.sha256}.part`), BIG.subarray(0, 500_000))
  await rig.cache.start()
  rig.cache.want([ref])
  await rig.cache.ensure(ref.sha256)
  expect(rig.asked).toMatchObject([{ range: 'bytes=500000-' }])
})

for (const { what, left, name, requests } of [
  { what: 'a whole part that was not renamed', left: BIG, name: '.part', requests: 0 },
  { what: 'a renamed file that was not recorded', left: BIG, name: '', requests: 0 },
  { what: 'an empty part', left: Buffer.alloc(0), name: '.part', requests: 1 },
  { what: 'a part with wrong bytes, as after a power cut', left: Buffer.alloc(500_000), name: '.part', requests: 2 },
  { what: 'a whole part with wrong bytes', left: Buffer.alloc(BIG.length), name: '.part', requests: 1 },
  { what: 'a part that is too long', left: Buffer.alloc(BIG.length + 1), name: '.part', requests: 1 },
  { what: 'a renamed file with wrong bytes', left: Buffer.alloc(BIG.length), name: '', requests: 1 },
])
  test(`${what} ends well, told once, after ${requests} requests`, async () => {
    const ref = refOf(BIG)
    await writeFile(join(rig.directory, ref.sha256 + name), left)
    await rig.cache.start()
    rig.cache.want([ref])
    expect((await readFile(await rig.cache.ensure(ref.sha256))).equals(BIG)).toBe(true)
    expect(rig.asked.length).toBe(requests)
    expect(rig.events().map(({ kind }) => kind)).toEqual(['artifact.ready'])
  })

test('a server that ignores ranges is read from the start', async () => {
  const ref = refOf(BIG)
  await writeFile(join(rig.directory, `${ref.sha256}.part`), BIG.subarray(0, 500_000))
  rig.handle = (_request, response, bytes) => void response.end(bytes)
  await rig.cache.start()
  rig.cache.want([ref])
  expect((await readFile(await rig.cache.ensure(ref.sha256))).equals(BIG)).toBe(true)
})

for (const { what, bytes, why } of [
  { what: 'other bytes of the same length', bytes: randomBytes(BIG.length), why: /another sha256/ },
  { what: 'more bytes', bytes: Buffer.concat([BIG, SMALL]), why: /more than the promised/ },
  { what: 'fewer bytes', bytes: BIG.subarray(1), why: /instead of the promised/ },
])
  test(`${what} are deleted and refused, told once, and tried again`, async () => {
    const ref = refOf(BIG)
    rig.handle = (_request, response) => void response.end(bytes)
    await rig.cache.start()
    rig.cache.want([ref])
    await expect.poll(() => rig.asked.length, { timeout: 4000 }).toBeGreaterThanOrEqual(2)
    await expect.poll(() => rig.cache.status()[0]?.state).toBe('waiting')
    expect(rig.events()).toMatchObject([{ kind: 'artifact.refused', sha256: ref.sha256, why: expect.stringMatching(why) }])
    await expect.poll(() => readdir(rig.directory)).toEqual([])
    rig.handle = serve
    await rig.cache.ensure(ref.sha256)
    expect(rig.events().at(-1)).toMatchObject({ kind: 'artifact.ready' })
  })

test('redirects are followed, and the password goes to the first address alone', async () => {
  const ref = refOf(BIG)
  rig.handle = (request, response, bytes) =>
    request.url?.startsWith('/bucket')
      ? serve(request, response, bytes)
      : response.writeHead(302, { Location: `/bucket/${ref.sha256}` }).end('moved')
  await writeFile(join(rig.directory, `${ref.sha256}.part`), BIG.subarray(0, 7))
  await rig.cache.start()
  rig.cache.want([ref])
  await rig.cache.ensure(ref.sha256)
  expect(rig.asked).toEqual([
    { path: `/artifacts/${ref.sha256}`, range: 'bytes=7-', auth: `Basic ${Buffer.from('site:secret').toString('base64')}` },
    { path: `/bucket/${ref.sha256}`, range: 'bytes=7-', auth: undefined },
  ])
})

for (const { what, reply, why } of [
  {
    what: 'a redirect circle',
    reply: (response: ServerResponse) => response.writeHead(302, { Location: '#again' }).end(),
    why: /redirects/,
  },
  {
    what: 'a redirect to a file',
    reply: (response: ServerResponse) => response.writeHead(302, { Location: 'file:///etc/passwd' }).end(),
    why: /file: URL/,
  },
  { what: 'a wrong secret', reply: (response: ServerResponse) => response.writeHead(401).end(), why: /refuses this site/ },
  { what: 'a missing artifact', reply: (response: ServerResponse) => response.writeHead(404).end(), why: /does not have it/ },
  { what: 'a broken server', reply: (response: ServerResponse) => response.writeHead(500).end(), why: /answers 500/ },
])
  test(`${what} is a reason in the status, and tried again`, async () => {
    rig.handle = (_request, response) => void reply(response)
    await rig.cache.start()
    rig.cache.want([refOf(SMALL)])
    await expect.poll(() => rig.cache.status()[0]?.why).toMatch(why)
    rig.handle = serve
    await expect.poll(() => rig.cache.status()[0]?.state, { timeout: 5000 }).toBe('ready')
    expect(rig.events().length).toBe(1)
  })
