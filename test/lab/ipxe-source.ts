import { systemClock } from '@bridgehead/shared/clock.ts'
import { z } from 'zod'
import { BuildError } from '../../manager/builders/confine/error.ts'
import type { IpxeBuildDeps } from '../../manager/builders/ipxe/build.ts'
import { checkIpxeRequest, ipxeRequestShape } from '../../manager/builders/ipxe/request.ts'
import { pinSources } from '../../manager/builders/sources/directory.ts'
import { resolveSource } from '../../manager/builders/sources/resolve.ts'
import type { SourceRef } from '../../manager/builders/sources/source.ts'
import { machineApt } from '../../manager/engines/apt/apt.ts'
import type { Bucket } from '../../manager/engines/bucket/bucket.ts'
import { testBucket } from '../../manager/engines/bucket/test-bucket.ts'

/** A request as tests write it: its source is chosen apart. */
export const IpxeRequest = z.strictObject(ipxeRequestShape).superRefine(checkIpxeRequest)
export type IpxeRequest = z.infer<typeof IpxeRequest>

/** What a build needs, with everything it keeps below `directory`. */
export function ipxeDeps(directory: string, change: Partial<IpxeBuildDeps> = {}): IpxeBuildDeps & { bucket: Bucket } {
  return {
    bucket: testBucket(`${directory}/bucket`, systemClock),
    clock: systemClock,
    log: () => undefined,
    progress: () => undefined,
    signal: new AbortController().signal,
    workDirectory: `${directory}/work`,
    ...change,
  }
}

/**
 * Source of iPXE in the bucket of `deps`: the tarball or directory that BRIDGEHEAD_IPXE_SOURCE names, else Debian's source package. `why`
 * is a sentence that says why there is none; a tarball that was named and is not there is an error.
 */
export async function findIpxeSource(
  deps: IpxeBuildDeps,
  path = process.env.BRIDGEHEAD_IPXE_SOURCE,
): Promise<{ source: SourceRef } | { why: string }> {
  const missing = (message: string) => {
    throw new Error(`BRIDGEHEAD_IPXE_SOURCE: ${message}`)
  }
  const wishes = path
    ? await pinSources([{ kind: 'directory', path }], { bucket: deps.bucket, missing })
    : [{ kind: 'debian', package: 'ipxe' } as const]
  try {
    return { source: await resolveSource(wishes, { ...deps, apt: machineApt() }) }
  } catch (error) {
    if (path || !(error instanceof BuildError)) throw error
    return { why: `${error.message} (BRIDGEHEAD_IPXE_SOURCE may name a tarball of iPXE's source)` }
  }
}
