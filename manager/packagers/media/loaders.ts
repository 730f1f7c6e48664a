import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { IpxeOptions } from '../../builders/ipxe/options.ts'
import type { IpxeTarget } from '../../builders/ipxe/request.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { MediaError } from './error.ts'
import type { LoaderFile } from './maker.ts'
import { type LocalPart, localFile } from './parts/parts.ts'
import type { MediaPlan, PlatformPlan } from './plan.ts'

export interface CompileRequest {
  targets: IpxeTarget[]
  options: IpxeOptions
  /** Embedded in each. */
  script?: string
}
/** Compiles iPXE, or finds what was compiled; gives each target's bytes in the bucket. */
export type CompileLoaders = (
  request: CompileRequest,
  around: { signal: AbortSignal; progress(fraction: number, text: string): void | Promise<void>; log(line: string): void | Promise<void> },
) => Promise<ReadonlyMap<IpxeTarget, ArtifactRef>>

/** What the part `ipxe` calls each target. */
const PREBUILT: Partial<Record<IpxeTarget, string>> = {
  'bin/undionly.kpxe': 'undionly.kpxe',
  'bin/ipxe.lkrn': 'ipxe.lkrn',
  'bin/ipxe.pxe': 'ipxe.pxe',
  'bin-x86_64-efi/ipxe.efi': 'ipxe-x86_64.efi',
  'bin-x86_64-efi/snponly.efi': 'snponly-x86_64.efi',
  'bin-arm64-efi/ipxe.efi': 'ipxe-arm64.efi',
}

interface LoaderDeps {
  bucket: Bucket
  cacheDirectory: string
  compile?: CompileLoaders | undefined
  progress(fraction: number, text: string): void | Promise<void>
  log(line: string): void | Promise<void>
  signal: AbortSignal
}

/** Every loader that the plan names, as a local file. Throws MediaError when one must be compiled and nobody here can. */
export async function resolveLoaders(
  plan: MediaPlan,
  part: (name: string) => Promise<LocalPart>,
  deps: LoaderDeps,
): Promise<Map<IpxeTarget, LoaderFile>> {
  const each = await Promise.all(
    plan.platforms.map((platform) => (platform.way === 'prebuilt' ? prebuilt(platform, part) : compiled(platform, plan.script, deps))),
  )
  return new Map(each.flat())
}

async function prebuilt({ targets }: PlatformPlan, part: (name: string) => Promise<LocalPart>): Promise<[IpxeTarget, LoaderFile][]> {
  const ipxe = await part('ipxe')
  return targets.map((target) => {
    const file = PREBUILT[target] ?? target
    return [target, { path: ipxe.path(file), ref: ipxe.ref(file), embedded: false }]
  })
}

async function compiled(
  { targets, options, script: place, why }: PlatformPlan,
  script: string,
  deps: LoaderDeps,
): Promise<[IpxeTarget, LoaderFile][]> {
  if (!deps.compile || !options) throw new MediaError(`this needs a compiled loader (${why}), and nothing here compiles`)
  const embedded = place === 'embedded'
  const outputs = await deps.compile({ targets, options, ...(embedded ? { script } : {}) }, deps)
  return Promise.all(
    targets.map(async (target): Promise<[IpxeTarget, LoaderFile]> => {
      const ref = outputs.get(target)
      if (!ref) throw new MediaError(`the build gave no ${target}`)
      return [target, { path: await localFile(ref, deps), ref, embedded }]
    }),
  )
}
