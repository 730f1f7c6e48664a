import type { Log } from '@bridgehead/shared/log.ts'
import { type ApplianceJobs, registerApplianceJobs } from './appliances/jobs.ts'
import { build, DEBIAN_SOURCES } from './builders/build.ts'
import type { BuilderSources } from './builders/deps.ts'
import type { IpxeTarget } from './builders/ipxe/request.ts'
import { type BuilderJobs, registerBuilderJobs } from './builders/jobs.ts'
import { BuildRequest } from './builders/model.ts'
import type { Jobs } from './engines/jobs/jobs.ts'
import type { Workshop } from './engines/jobs/maker-deps.ts'
import { applianceImageBuilder } from './packagers/appliance-image/build.ts'
import type { ApplianceImageRequest } from './packagers/appliance-image/request.ts'
import { type PackagerJobs, registerPackagerJobs } from './packagers/jobs.ts'
import { type MediaJobs, registerMediaJobs } from './packagers/media/jobs.ts'
import type { CompileLoaders } from './packagers/media/loaders.ts'

export interface JobDeps extends Workshop {
  log: Log
  /** Where source is looked for; Debian's packages unless told. */
  sources?: BuilderSources
}

/** Every kind of job there is: the same in the manager and in its workers. Call before `jobs.start()`. */
export function registerJobs(
  jobs: Pick<Jobs, 'defineJob'>,
  deps: JobDeps,
): PackagerJobs & BuilderJobs & MediaJobs & ApplianceJobs<ApplianceImageRequest> {
  const { sources = DEBIAN_SOURCES } = deps
  return {
    ...registerPackagerJobs(jobs, deps),
    ...registerBuilderJobs(jobs, { ...deps, sources }),
    ...registerApplianceJobs(jobs, { ...deps, builder: applianceImageBuilder(deps) }),
    ...registerMediaJobs(jobs, { ...deps, compile: compileLoaders({ ...deps, sources }) }),
  }
}

/** Packagers name what they need of iPXE; builders find it or make it. */
function compileLoaders(deps: JobDeps & { sources: BuilderSources }): CompileLoaders {
  return async (wish, { sources = deps.sources, ...around }) => {
    const request = BuildRequest.parse({ builder: 'ipxe', ...wish })
    const { outputs } = await build(request, { ...deps, ...around, sources })
    return new Map(outputs.map(({ name, ...ref }) => [name as IpxeTarget, { ...ref, name }]))
  }
}
