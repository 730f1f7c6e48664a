import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Apt } from '../engines/apt/apt.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import type { JobKind, Jobs } from '../engines/jobs/jobs.ts'
import { buildHostImage } from './host-image/build.ts'
import { HostImageRecipe } from './recipe.ts'

export interface PackagerJobs {
  /** Builds the image of a recipe; the job's id is the recipe's hash. */
  hostImage: JobKind<HostImageRecipe>
}

/** Tells the job engine what packagers do. Call before `jobs.start()`. `workDirectory`: some 2 GiB free; emptied after each job. */
export function registerPackagerJobs(
  jobs: Pick<Jobs, 'defineJob'>,
  { bucket, apt, clock, log, workDirectory }: { bucket: Bucket; apt: Apt; clock: Clock; log: Log; workDirectory: string },
): PackagerJobs {
  return {
    hostImage: jobs.defineJob(
      'host-image',
      HostImageRecipe as JobKind<HostImageRecipe>['schema'],
      async (recipe, context) => {
        const started = clock.now()
        const manifest = await buildHostImage(recipe, {
          bucket,
          apt,
          clock,
          progress: (fraction, text) => context.progress(fraction, text),
          log: (line) => context.log(line),
          signal: context.signal,
          workDirectory,
        })
        log.info('image.ready', {
          hash: manifest.hash,
          suite: manifest.recipe.suite,
          bytes: manifest.image.bytes,
          ms: clock.now() - started,
        })
      },
      { queue: 'package' },
    ),
  }
}
