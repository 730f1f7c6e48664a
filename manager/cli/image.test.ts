import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { imageDocument } from '@bridgehead/shared/model/appliance-image.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { type ImageBuilder, registerApplianceJobs } from '../appliances/jobs.ts'
import { putTestImage } from '../appliances/test-image.ts'
import { testBucket } from '../engines/bucket/test-bucket.ts'
import { type FakeJobs, fakeJobs } from '../engines/jobs/fake-jobs.ts'
import { type CliRig, startCliRig } from './test-rig.ts'

const HASH = 'b'.repeat(64)
const Recipe = z.strictObject({ board: z.string() })
let directory: string
let jobs: FakeJobs
let rig: CliRig
let putImage: () => Promise<void>
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  const bucket = testBucket(directory)
  jobs = fakeJobs()
  const clock = steppedClock(0)
  putImage = async () => {
    const { manifest } = await putTestImage(bucket, { hash: HASH })
    await bucket.putDocument(imageDocument(HASH), manifest)
  }
  const builder: ImageBuilder<z.infer<typeof Recipe>> = {
    request: Recipe,
    hashOf: async () => HASH,
    build: () => Promise.reject(new Error('the test says what became of it')),
  }
  const kinds = registerApplianceJobs(jobs, { bucket, builder, clock, log: silentLog })
  rig = await startCliRig({ engines: { images: { bucket, jobs, kinds, builder, ticketKey: new Uint8Array(32) } } })
  await rig.cli(['site', 'add', 'berlin', '--lan', '192.168.1.2/24'])
})
afterEach(async () => {
  await rig.close()
  await rm(directory, { recursive: true })
})

test('without an image it says how to build one; --build does, and waits', async () => {
  const { code, stderr } = await rig.cli(['site', 'image', 'berlin'])
  expect([code, stderr]).toEqual([
    1,
    `bridgehead: there is no image for x86_64 yet
  → build it first (some minutes): bridgehead site image berlin --board x86_64 --build
`,
  ])
  const building = rig.cli(['site', 'image', 'berlin', '--build'])
  while (jobs.all.size === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await putImage()
  jobs.set(HASH, { state: 'completed' })
  const done = await building
  expect(done.stdout).toMatch(/^the image for berlin \(x86_64\), with its token inside; the addresses are good until 20\d\d-/)
  expect(done.stdout).toMatch(/\n {2}img\.xz {3}https:\/\/manager\.example:8443\/api\/v1\/appliance-images\/download\/\S+\n/)
})

test('-o fetches it from the manager that is known, whatever it calls itself', async () => {
  await putImage()
  const file = join(directory, 'berlin.img')
  const { code, stdout } = await rig.cli(['site', 'image', 'berlin', '--format', 'img', '-o', file])
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${file}  1.0 MiB\n  → write it to a card or stick`)])
  expect((await readFile(file)).includes('https://manager.example:8443')).toBe(true)
})

test('into a directory it keeps its own name', async () => {
  await putImage()
  await rig.cli(['site', 'image', 'berlin', '--format', 'img', '-o', directory])
  expect((await readFile(join(directory, 'bridgehead-berlin-x86_64-1.0.0.img'))).length).toBe(1_048_576)
})

test('its bridgehead.json alone is for the daemon on any machine', async () => {
  const { stdout, stderr } = await rig.cli(['site', 'image', 'berlin', '--config'])
  expect(JSON.parse(stdout)).toMatchObject({ manager: 'https://manager.example:8443', token: expect.any(String) })
  expect(stderr).toBe('# its token is good once, and expires tomorrow\n')
})

test('a file that cannot be written is named', async () => {
  await putImage()
  const { code, stderr } = await rig.cli(['site', 'image', 'berlin', '--format', 'img', '-o', '/nowhere/x.img'])
  expect([code, stderr]).toEqual([1, expect.stringContaining('/nowhere/x.img.part cannot be written')])
})
