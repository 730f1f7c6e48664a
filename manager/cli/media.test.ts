import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { Hono } from 'hono'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import { type FakeJobs, fakeJobs } from '../engines/jobs/fake-jobs.ts'
import { key } from '../harness.ts'
import { registerMediaJobs } from '../packagers/media/jobs.ts'
import { createLinks } from '../packagers/media/links.ts'
import { type MediaManifest, mediaKey } from '../packagers/media/recipe.ts'
import { mediaRoutes } from '../packagers/media/routes.ts'
import { type CliRig, startCliRig } from './test-rig.ts'

const ISO = new TextEncoder().encode('an iso, as it were')
const sha256 = createHash('sha256').update(ISO).digest('hex')
let rig: CliRig
let jobs: FakeJobs
let finish: (change: Parameters<FakeJobs['set']>[1]) => Promise<void>
/** Of the next download of the ISO, so many bytes arrive; the rest by ranges. */
let cutAt: number | undefined
let ranges: (string | undefined)[]

beforeEach(async () => {
  jobs = fakeJobs()
  cutAt = undefined
  ranges = []
  const { promise: changed, resolve: change } = Promise.withResolvers<void>()
  jobs.follow = async function* (id) {
    const now = jobs.all.get(id)
    if (now) yield now
    await changed
    const then = jobs.all.get(id)
    if (then) yield then
  }
  const clock = steppedClock(1_000)
  const nothing = () => Promise.reject(new Error('no test asks apt'))
  const documents = new Map<string, unknown>()
  const bucket = {
    ...testBucket('/nowhere', clock),
    getDocument: async (at: string) => documents.get(at),
    putDocument: async (at: string, value: unknown) => void documents.set(at, JSON.parse(JSON.stringify(value))),
    async *listDocuments(prefix = '') {
      yield* [...documents.keys()].filter((at) => at.startsWith(prefix))
    },
    head: async (hash: string) => ({ sha256: hash, bytes: ISO.length }),
    presign: async (hash: string) => `/bucket/${hash}`,
  }
  const apt = { archive: nothing, reach: nothing, fingerprint: nothing }
  const links = createLinks({ bucket, random: (bytes) => new Uint8Array(bytes), clock })
  const room = mediaRoutes({
    ...{ bucket, jobs, clock, links, signingKey: key(), publicUrl: 'https://manager.example:8443' },
    kinds: registerMediaJobs(jobs, {
      bucket,
      apt,
      clock,
      log: silentLog,
      workDirectory: '/nowhere',
    }),
    findSite: async () => undefined,
    orderBundle: nothing,
  })
  const files = new Hono().get('/bucket/:hash', (c) => {
    const range = c.req.header('range')
    ranges.push(range)
    if (range) return c.body(ISO.slice(Number(/\d+/.exec(range)?.[0])), 206)
    return c.body(cutAt === undefined ? ISO : ISO.slice(0, cutAt))
  })
  rig = await startCliRig({ parts: [room], downloads: [files] })
  finish = async (to) => {
    const [id = ''] = jobs.all.keys()
    if (to.state === 'completed') {
      const { recipe, target, ways } = JSON.parse((await rig.cli(['media', 'ls', '--json'])).stdout).items[0]
      const ref = { sha256, bytes: ISO.length, name: 'shop.iso' }
      const manifest: MediaManifest = {
        kind: 'media',
        hash: id,
        recipe,
        target,
        ways,
        script: '',
        files: { iso: [ref] },
        parts: {},
        seconds: {},
      }
      documents.set(mediaKey(id), manifest)
    }
    jobs.set(id, to)
    change()
  }
})
afterEach(() => rig.close())

const asked = async () => {
  while (jobs.all.size === 0) await new Promise((resolve) => setTimeout(resolve, 5))
}
const args = ['media', 'build', '--url', 'http://boot.example/start.ipxe', '--name', 'shop', '-o', 'iso']

test('a build tells which way was taken, how far it is, and what came of it', async () => {
  const building = rig.cli(args)
  await asked()
  await finish({ state: 'completed' })
  const { code, stdout, stderr } = await building
  expect(code).toBe(0)
  expect(stderr).toMatch(/^ {2}bin: prebuilt, .+\n/)
  expect(stderr).toContain('    0 %  waits for its turn\n')
  expect(stdout).toMatch(
    new RegExp(
      `^1 file, [0-9a-f]{64}\n\n {2}file {6}size {2}sha256\n {2}shop\\.iso {2}18 B {2}${sha256}\n {2}→ fetch them: bridgehead media get [0-9a-f]{64}\n$`,
    ),
  )
  expect((await rig.cli(['media', 'ls'])).stdout).toContain('1 recipe: 1 ready\n')
})

test('files that are there are fetched and checked, and gone on with after a cut', async () => {
  const building = rig.cli([...args, '--download', rig.directory])
  await asked()
  cutAt = 5
  await finish({ state: 'completed' })
  const { code, stdout } = await building
  expect([code, ranges]).toEqual([0, [undefined, 'bytes=5-']])
  expect(stdout).toContain(`${rig.directory}/shop.iso  18 B, sha256 checked\n`)
  expect(new Uint8Array(await readFile(join(rig.directory, 'shop.iso')))).toEqual(ISO)
})

test('what an earlier call left is gone on with; what is damaged is no file', async () => {
  const building = rig.cli(args)
  await asked()
  await finish({ state: 'completed' })
  await building
  const [hash = ''] = jobs.all.keys()
  await writeFile(join(rig.directory, 'shop.iso.part'), 'xx')
  const { code, stderr } = await rig.cli(['media', 'get', hash, '-d', rig.directory])
  expect([code, stderr, ranges]).toEqual([
    1,
    expect.stringMatching(/shop\.iso\.part has sha256 .*, expected .*\n {2}→ delete /),
    ['bytes=2-'],
  ])
  expect((await rig.cli(['media', 'get', hash, 'x.iso'])).stderr).toContain(
    'there is no file "x.iso" among these media\n  → they are: shop.iso\n',
  )
})

test('a build that fails says why, with the last lines of its log', async () => {
  const building = rig.cli(args)
  await asked()
  await finish({ state: 'failed', error: 'package ipxe cannot be had' })
  const { code, stderr } = await building
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('the making of iso failed: package ipxe cannot be had\n  | a line\n  → again: '),
  ])
})

test('Ctrl-C leaves it going', async () => {
  const stop = new AbortController()
  const building = rig.cli(args, { signal: stop.signal })
  await asked()
  stop.abort()
  expect(await building).toMatchObject({ code: 1, stderr: expect.stringContaining('no longer watched; the making of iso goes on') })
})

for (const { wrong, more, says } of [
  { wrong: 'an unknown output', more: ['-o', 'floppy'], says: "argument 'floppy' is invalid" },
  { wrong: 'two origins', more: ['--site', 'berlin'], says: 'expected exactly one of site, url and script, got site and url' },
  { wrong: 'a recipe that is no JSON', more: ['--recipe', '/dev/null'], says: '/dev/null: expected a recipe in JSON' },
])
  test(`${wrong} is refused`, async () => {
    const { code, stderr } = await rig.cli([...args, ...more])
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)])
    expect(jobs.all.size).toBe(0)
  })
