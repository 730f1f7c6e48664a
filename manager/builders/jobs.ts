import type { Log } from '@bridgehead/shared/log.ts'
import type { JobKind, Jobs } from '../engines/jobs/jobs.ts'
import type { Workshop } from '../engines/jobs/maker-deps.ts'
import { runBuild } from './build.ts'
import type { BuilderSources } from './deps.ts'
import { BuildPlan } from './model.ts'

export interface BuilderJobs {
  /** Builds a plan; the job's id is its hash. */
  build: JobKind<BuildPlan>
}

/** Tells the job engine what builders do. Call before `jobs.start()`, in every process that asks for builds or makes them. */
export function registerBuilderJobs(
  jobs: Pick<Jobs, 'defineJob'>,
  { log, ...deps }: Workshop & { sources: BuilderSources; log: Log },
): BuilderJobs {
  const handler: Parameters<typeof jobs.defineJob<BuildPlan>>[2] = async (plan, context) => {
    const manifest = await runBuild(plan, { ...deps, ...context })
    log.info('build.ready', {
      hash: manifest.hash,
      builder: plan.request.builder,
      version: manifest.source.version,
      seconds: manifest.seconds,
    })
  }
  return { build: jobs.defineJob('build', BuildPlan as JobKind<BuildPlan>['schema'], handler, { queue: 'build' }) }
}
