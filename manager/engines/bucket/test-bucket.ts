import { type Clock, steppedClock } from '@bridgehead/shared/clock.ts'
import type { Bucket } from './bucket.ts'
import { createFilesystemBucket } from './filesystem.ts'
import { createPresigner } from './presign.ts'

/** For tests: a bucket in `directory`, whose presigned URLs nobody serves. */
export function testBucket(directory: string, clock: Clock = steppedClock()): Bucket {
  return createFilesystemBucket({ directory, presigner: createPresigner(new Uint8Array(32)), clock })
}
