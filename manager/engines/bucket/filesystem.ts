import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Bucket } from './bucket.ts'
import type { Presigner } from './presign.ts'

/** A bucket in `directory`. Made (and left-over temporary files removed) on first use. */
export declare function createFilesystemBucket(options: { directory: string; presigner: Presigner; clock: Clock }): Bucket
