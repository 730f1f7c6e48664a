import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, steppedClock } from '@bridgehead/shared/clock.ts'
import { type Log, silentLog } from '@bridgehead/shared/log.ts'
import type { Bucket } from './engines/bucket/bucket.ts'
import { testBucket } from './engines/bucket/test-bucket.ts'
import type { App } from './engines/http/app.ts'
import { type FakeJobs, fakeJobs } from './engines/jobs/fake-jobs.ts'
import { type Answer, type Harness, startHarness } from './harness.ts'

/** What a room of made things needs. */
export interface RoomDeps {
  bucket: Bucket
  jobs: FakeJobs
  clock: Clock
  log: Log
  workDirectory: string
}

/** For tests: the whole manager with one more room, on a bucket of its own and on jobs that do what the test says. */
export interface RoomHarness {
  harness: Harness
  bucket: Bucket
  jobs: FakeJobs
  /** Asks for a path below `/api/v1`, as organisation `a` unless told. */
  ask(method: string, path: string, body?: unknown, as?: Parameters<Harness['ask']>[3]): Promise<Answer>
  close(): Promise<void>
}

export async function startRoom(door: (deps: RoomDeps) => App): Promise<RoomHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  const clock = steppedClock(1_000)
  const bucket = testBucket(join(directory, 'bucket'), clock)
  const jobs = fakeJobs()
  const harness = await startHarness({
    engines: {
      artifactBytes: async (sha256) => (await bucket.head(sha256))?.bytes,
      parts: [door({ bucket, jobs, clock, log: silentLog, workDirectory: join(directory, 'work') })],
    },
  })
  return {
    harness,
    bucket,
    jobs,
    ask: (method, path, body, as = 'a') => harness.ask(method, `/api/v1${path}`, body, as),
    async close() {
      await harness.close()
      await rm(directory, { recursive: true })
    },
  }
}
