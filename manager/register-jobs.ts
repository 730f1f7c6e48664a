import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { build, DEBIAN_SOURCES } from './builders/build.ts'
import type { BuilderSources } from './builders/deps.ts'
import { type BuilderJobs, registerBuilderJobs } from './builders/jobs.ts'
import { BuildRequest } from './builders/model.ts'
import type { Apt } from './engines/apt/apt.ts'
import type { Bucket } from './engines/bucket/bucket.ts'
import type { Jobs } from './engines/jobs/jobs.ts'
import { type PackagerJobs, registerPackagerJobs } from './packagers/jobs.ts'
import { type MediaJobs, registerMediaJobs } from './packagers/media/jobs.ts'
import type { CompileLoaders } from './packagers/media/loaders.ts'

export interface JobDeps {
  bucket: Bucket
  apt: Apt
  clock: Clock
  log: Log
  /** Lasts: warm trees, sources and parts lie here. Several processes may share it. */
  workDirectory: string
  /** Where loaders that media need are compiled from. */
  sources?: BuilderSources
}

/** Every kind of job there is: the same in the manager and in its workers. Call before `jobs.start()`. */
export function registerJobs(
  jobs: Pick<Jobs, 'defineJob'>,
  { sources = DEBIAN_SOURCES, ...deps }: JobDeps,
): PackagerJobs & BuilderJobs & MediaJobs {
  const compile: CompileLoaders = async (wanted, around) => {
    const request = BuildRequest.parse({ builder: 'ipxe', ...wanted })
    const { outputs } = await build(request, { ...deps, sources, ...around })
    return new Map(wanted.targets.flatMap((target) => outputs.filter(({ name }) => name === target).map((output) => [target, output])))
  }
  return {
    ...registerPackagerJobs(jobs, deps),
    ...registerBuilderJobs(jobs, { ...deps, sources }),
    ...registerMediaJobs(jobs, { ...deps, compile }),
  }
}
