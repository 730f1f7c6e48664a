import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BIG, type CacheRig, cacheRig, refOf, SMALL, serve } from './cache-rig.ts'

let rig: CacheRig
beforeEach(async () => {
  rig = await cacheRig()
})
afterEach(() => rig.close())

test('an artifact comes, is checked, recorded and told', async () => {
  const ref = refOf(BIG, 'disk.raw.zst')
  await rig.cache.start()
  rig.cache.want([ref])
  expect(rig.cache.path(ref.sha256)).toBeUndefined()
  const path = await rig.cache.ensure(ref.sha256)
  expect((await readFile(path)).equals(BIG)).toBe(true)
  expect(rig.cache.path(ref.sha256)).toBe(path)
  expect(rig.cache.file(ref.sha256)).toEqual({ path, size: BIG.length, sha256: ref.sha256 })
  expect(rig.events()).toMatchObject([{ kind: 'artifact.ready', sha256: ref.sha256, name: 'disk.raw.zst', bytes: BIG.length }])
  expect(rig.cache.status()).toMatchObject([{ state: 'ready', have: BIG.length }])
  expect(await readdir(rig.directory)).toEqual([ref.sha256])
})

test('without an uplink nothing is asked; what is here is served; it goes on when one appears', async () => {
  const { source } = rig
  rig.source = undefined
  await rig.cache.start()
  rig.cache.want([refOf(SMALL)])
  const arrived = rig.cache.ensure(refOf(SMALL).sha256)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(rig.asked).toEqual([])
  rig.source = source
  await arrived
})

test('two at a time, small ones first, urgent ones before all', async () => {
  const many = Array.from({ length: 5 }, (_, at) => randomBytes(1000 * (at + 1)))
  for (const bytes of many) rig.contents.set(refOf(bytes).sha256, bytes)
  const held: (() => void)[] = []
  rig.handle = (request, response, bytes) => void held.push(() => serve(request, response, bytes))
  await rig.cache.start()
  rig.cache.want(many.map((bytes) => refOf(bytes)).reverse())
  const last = rig.cache.ensure(refOf(many[4] as Buffer).sha256)
  await expect.poll(() => held.length).toBe(2)
  expect(
    rig.cache
      .status()
      .filter(({ state }) => state === 'downloading')
      .map(({ bytes }) => bytes),
  ).toEqual([2000, 1000])
  held.shift()?.()
  await expect.poll(() => rig.asked.length).toBe(3)
  expect(rig.asked[2]?.path).toContain(refOf(many[4] as Buffer).sha256)
  rig.handle = serve
  for (const release of held) release()
  await last
})

test('what is no longer wanted stops, and what waits for it is told', async () => {
  const ref = refOf(BIG)
  rig.handle = (_request, response) => void response.write('x')
  await rig.cache.start()
  rig.cache.want([ref])
  const waiting = rig.cache.ensure(ref.sha256)
  rig.cache.want([])
  await expect(waiting).rejects.toMatchObject({ code: 'artifact_not_wanted' })
  await expect(rig.cache.ensure(ref.sha256)).rejects.toMatchObject({ code: 'artifact_not_wanted' })
  rig.cache.want([ref]) // again, while the first run is still ending: one writer at a time
  rig.handle = serve
  expect((await readFile(await rig.cache.ensure(ref.sha256))).equals(BIG)).toBe(true)
})

test('a cold start knows what it has, forgets what is gone, and asks nobody', async () => {
  const [big, small] = [refOf(BIG), refOf(SMALL)]
  await rig.cache.start()
  rig.cache.want([big, small])
  await Promise.all([rig.cache.ensure(big.sha256), rig.cache.ensure(small.sha256)])
  await rig.cache.stop()
  await truncate(join(rig.directory, big.sha256), 5)
  rig.source = undefined
  rig.cache = rig.open()
  await rig.cache.start()
  expect(rig.cache.path(small.sha256)).toBe(join(rig.directory, small.sha256))
  expect(rig.cache.path(big.sha256)).toBeUndefined()
})

test('a full disk: what is not wanted goes, what is wanted stays, and the reason is told once', async () => {
  await rig.cache.start()
  rig.cache.want([refOf(BIG)])
  await rig.cache.ensure(refOf(BIG).sha256)
  await rig.cache.stop()
  rig.cache = rig.open(2 ** 60) // as if the disk had no room at all
  await rig.cache.start()
  rig.cache.want([refOf(SMALL)])
  await expect.poll(() => rig.cache.status()[0]?.why).toMatch(/no room/)
  expect(rig.events().at(-1)).toMatchObject({ kind: 'artifact.refused', why: expect.stringMatching(/no room/) })
  expect((await stat(join(rig.directory, refOf(BIG).sha256))).size).toBe(BIG.length) // removing it would not have helped
})

test('a file that came by another way is moved in and told, and ends the download of the same', async () => {
  rig.handle = () => undefined // never answers
  const ref = refOf(BIG)
  await rig.cache.start()
  rig.cache.want([ref])
  const waiting = rig.cache.ensure(ref.sha256)
  while (rig.asked.length === 0) await systemClock.sleep(5)
  const from = join(rig.directory, 'brought')
  await writeFile(from, BIG)
  await rig.cache.admit(ref, from)
  expect(await waiting).toBe(rig.cache.path(ref.sha256))
  expect(await readdir(rig.directory)).toEqual([ref.sha256])
  expect(rig.events().map(({ kind }) => kind)).toEqual(['artifact.ready'])
  await rig.cache.admit(ref, from) // again, as after a crash
  expect(rig.events().map(({ kind }) => kind)).toEqual(['artifact.ready'])
})

test('a crash between moving and recording is made good; a file that is nowhere is not taken for one that is here', async () => {
  const ref = refOf(SMALL)
  await rig.cache.start()
  await writeFile(join(rig.directory, ref.sha256), SMALL)
  await rig.cache.admit(ref, join(rig.directory, 'gone'))
  expect(rig.cache.path(ref.sha256)).toBeDefined()
  await expect(rig.cache.admit(refOf(BIG), join(rig.directory, 'gone'))).rejects.toThrow('is neither at')
  expect(rig.cache.path(refOf(BIG).sha256)).toBeUndefined()
})
