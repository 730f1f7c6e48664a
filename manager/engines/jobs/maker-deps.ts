import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Apt } from '../apt/apt.ts'
import type { Bucket } from '../bucket/bucket.ts'

/** What whoever makes something has of its process, for all jobs. */
export interface Workshop {
  bucket: Bucket
  apt: Apt
  clock: Clock
  /** Lasts, and may be shared by several processes. A job removes what it makes there; warm trees, parts and package lists stay. */
  workDirectory: string
}

/** The same for one job: a `JobContext` has the rest. */
export interface MakerDeps extends Workshop {
  /** `fraction` 0..1. */
  progress(fraction: number, text: string): void | Promise<void>
  log(line: string): void | Promise<void>
  signal: AbortSignal
}
