import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Hono } from 'hono'
import type { Bucket } from './bucket.ts'
import type { Presigner } from './presign.ts'

/** `GET|HEAD /bucket/{sha256}` for presigned URLs, with ranges. Mount it at the root of a listener. */
export declare function bucketRoutes(deps: { bucket: Bucket; presigner: Presigner; clock: Clock }): Hono
