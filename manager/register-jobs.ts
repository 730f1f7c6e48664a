import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Apt } from './engines/apt/apt.ts'
import type { Bucket } from './engines/bucket/bucket.ts'
import type { Jobs } from './engines/jobs/jobs.ts'
import { type PackagerJobs, registerPackagerJobs } from './packagers/jobs.ts'

export interface JobDeps {
  bucket: Bucket
  apt: Apt
  clock: Clock
  log: Log
  /** Lasts: warm trees and sources lie here. */
  workDirectory: string
}

/** Every kind of job there is: the same in the manager and in its workers. Call before `jobs.start()`. */
export function registerJobs(jobs: Pick<Jobs, 'defineJob'>, deps: JobDeps): PackagerJobs {
  return { ...registerPackagerJobs(jobs, deps) }
}
