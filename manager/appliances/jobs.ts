import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import type { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { JobContext, JobKind, Jobs } from '../engines/jobs/jobs.ts'
import { makeFrames } from './frames.ts'

/** Whoever makes images; `R` is what is asked for, with everything that decides what comes of it. */
export interface ImageBuilder<R> {
  readonly request: z.ZodType<R>
  /** Of the image that would be made now. */
  hashOf(request: R): Promise<string>
  /** Leaves the image and its manifest in the bucket, under `hashOf(request)`. */
  build(request: R, context: JobContext): Promise<ApplianceImageManifest>
}

export interface ApplianceJobs<R> {
  /** Makes an image and its frames; the job's id is the image's hash. Undefined where nothing can build one. */
  applianceImage: JobKind<R> | undefined
  /** Makes the frames of an image that came from elsewhere. */
  applianceFrames: JobKind<ApplianceImageManifest>
}

/** Building is most of the work; then its three frames. */
const BUILD_SHARE = 0.7

/** Tells the job engine what is done with appliance images, in the queue `package`. Call before `jobs.start()`. */
export function registerApplianceJobs<R>(
  jobs: Pick<Jobs, 'defineJob'>,
  { bucket, builder, clock, log }: { bucket: Bucket; builder: ImageBuilder<R> | undefined; clock: Clock; log: Log },
): ApplianceJobs<R> {
  const framed = async (manifest: ApplianceImageManifest, context: JobContext, from: number) => {
    const started = clock.now()
    const progress = (fraction: number, text: string) => context.progress(from + (1 - from) * fraction, text)
    await makeFrames(manifest, { bucket, progress, signal: context.signal })
    log.info('appliance_image.frames_ready', { hash: manifest.hash, board: manifest.board, ms: clock.now() - started })
  }
  return {
    applianceImage:
      builder &&
      jobs.defineJob(
        'appliance-image',
        builder.request,
        async (request, context) => {
          const started = clock.now()
          const told = logged(context)
          const progress: JobContext['progress'] = (fraction, text) => told.progress(fraction * BUILD_SHARE, text)
          const manifest = await builder.build(request, { ...told, progress })
          const { hash, board, version } = manifest
          log.info('appliance_image.ready', { hash, board, version, ms: clock.now() - started })
          await framed(manifest, told, BUILD_SHARE)
        },
        { queue: 'package' },
      ),
    applianceFrames: jobs.defineJob(
      'appliance-frames',
      ApplianceImageManifest as JobKind<ApplianceImageManifest>['schema'],
      (manifest, context) => framed(manifest, logged(context), 0),
      { queue: 'package' },
    ),
  }
}

/** What it does, step by step, is its log as well. */
function logged(context: JobContext): JobContext {
  let said = ''
  return {
    ...context,
    async progress(fraction, text) {
      if (text !== said) await context.log(text)
      said = text
      await context.progress(fraction, text)
    },
  }
}

/** Asks for the frames of this image, unless somebody did. */
export async function enqueueFrames(
  jobs: Pick<Jobs, 'enqueue' | 'status'>,
  kinds: Pick<ApplianceJobs<unknown>, 'applianceFrames'>,
  manifest: ApplianceImageManifest,
): Promise<void> {
  const id = `frames-${manifest.image.sha256}`
  const state = (await jobs.status(id))?.state
  if (state === 'waiting' || state === 'active') return
  await jobs.enqueue(kinds.applianceFrames, { ...manifest, packages: [] }, { id })
}
