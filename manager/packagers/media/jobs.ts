import type { Log } from '@bridgehead/shared/log.ts'
import type { JobKind, Jobs } from '../../engines/jobs/jobs.ts'
import type { Workshop } from '../../engines/jobs/maker-deps.ts'
import type { CompileLoaders } from './loaders.ts'
import { makeMedia } from './make.ts'
import { ResolvedMedia } from './recipe.ts'

export interface MediaJobs {
  /** Makes everything that a recipe asks for; the job's id is the recipe's hash. */
  media: JobKind<ResolvedMedia>
}

export interface MediaJobDeps extends Workshop {
  log: Log
  /** Without it recipes that need a compiled loader fail, and say so. */
  compile?: CompileLoaders | undefined
}

/** Tells the job engine how media are made, in the queue `package`. Call before `jobs.start()`. `workDirectory`: some 500 MiB free. */
export function registerMediaJobs(jobs: Pick<Jobs, 'defineJob'>, deps: MediaJobDeps): MediaJobs {
  const { clock, log } = deps
  return {
    media: jobs.defineJob(
      'media',
      ResolvedMedia as JobKind<ResolvedMedia>['schema'],
      async (resolved, context) => {
        const started = clock.now()
        const manifest = await makeMedia(resolved, { ...deps, ...context })
        const bytes = Object.values(manifest.files)
          .flat()
          .reduce((sum, ref) => sum + ref.bytes, 0)
        log.info('media.ready', { hash: manifest.hash, outputs: Object.keys(manifest.files), bytes, ms: clock.now() - started })
      },
      { queue: 'package' },
    ),
  }
}
