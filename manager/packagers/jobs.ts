import type { Log } from '@bridgehead/shared/log.ts'
import type { JobKind, Jobs } from '../engines/jobs/jobs.ts'
import type { Workshop } from '../engines/jobs/maker-deps.ts'
import { buildHostImage } from './host-image/build.ts'
import { HostImageRecipe } from './recipe.ts'

export interface PackagerJobs {
  /** Builds the image of a recipe; the job's id is the recipe's hash. */
  hostImage: JobKind<HostImageRecipe>
}

/** Tells the job engine what packagers do. Call before `jobs.start()`. `workDirectory`: some 2 GiB free; emptied after each job. */
export function registerPackagerJobs(jobs: Pick<Jobs, 'defineJob'>, { log, ...deps }: Workshop & { log: Log }): PackagerJobs {
  return {
    hostImage: jobs.defineJob(
      'host-image',
      HostImageRecipe as JobKind<HostImageRecipe>['schema'],
      async (recipe, context) => {
        const started = deps.clock.now()
        const manifest = await buildHostImage(recipe, { ...deps, ...context })
        log.info('image.ready', {
          hash: manifest.hash,
          suite: manifest.recipe.suite,
          bytes: manifest.image.bytes,
          ms: deps.clock.now() - started,
        })
      },
      { queue: 'package' },
    ),
  }
}
