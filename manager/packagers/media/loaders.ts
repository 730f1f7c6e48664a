import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { BuilderSources } from '../../builders/deps.ts'
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
export interface AroundCompile {
  signal: AbortSignal
  /** `fraction` 0..1 of this build. */
  progress(fraction: number, text: string): void | Promise<void>
  log(line: string): void | Promise<void>
  /** In place of the compiler's own, when the manager wrote them into the order. */
  sources?: BuilderSources
}
/** Compiles iPXE, or finds what was compiled; gives each target's bytes in the bucket. */
export type CompileLoaders = (request: CompileRequest, around: AroundCompile) => Promise<ReadonlyMap<IpxeTarget, ArtifactRef>>

/** What the part `ipxe` calls each target. */
const PREBUILT: Partial<Record<IpxeTarget, string>> = {
  'bin/undionly.kpxe': 'undionly.kpxe',
  'bin/ipxe.lkrn': 'ipxe.lkrn',
  'bin/ipxe.pxe': 'ipxe.pxe',
  'bin-x86_64-efi/ipxe.efi': 'ipxe-x86_64.efi',
  'bin-x86_64-efi/snponly.efi': 'snponly-x86_64.efi',
  'bin-arm64-efi/ipxe.efi': 'ipxe-arm64.efi',
}

interface LoaderDeps extends AroundCompile {
  bucket: Bucket
  cacheDirectory: string
  compile?: CompileLoaders | undefined
}

/** Every loader that the plan names, as a local file. Throws MediaError when one must be compiled and nobody here can. */
export async function resolveLoaders(
  plan: MediaPlan,
  part: (name: string) => Promise<LocalPart>,
  deps: LoaderDeps,
): Promise<Map<IpxeTarget, LoaderFile>> {
  const fractions: number[] = plan.platforms.map(({ way }) => (way === 'prebuilt' ? 1 : 0))
  const each = await Promise.all(
    plan.platforms.map((platform, index) => {
      if (platform.way === 'prebuilt') return prebuilt(platform, part)
      const progress = async (fraction: number, text: string) => {
        fractions[index] = Math.max(fractions[index] ?? 0, fraction)
        await deps.progress(fractions.reduce((sum, one) => sum + one, 0) / fractions.length, `${platform.platform}: ${text}`)
      }
      return compiled(platform, plan.script, { ...deps, progress })
    }),
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
  const { signal, progress, log, sources } = deps
  const around: AroundCompile = { signal, progress, log, ...(sources ? { sources } : {}) }
  const outputs = await deps.compile({ targets, options, ...(embedded ? { script } : {}) }, around)
  return Promise.all(
    targets.map(async (target): Promise<[IpxeTarget, LoaderFile]> => {
      const ref = outputs.get(target)
      if (!ref) throw new MediaError(`the build gave no ${target}`)
      return [target, { path: await localFile(ref, deps), ref, embedded }]
    }),
  )
}
