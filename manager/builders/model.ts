import { createHash } from 'node:crypto'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { grubRequestShape } from './grub/request.ts'
import { checkIpxeRequest, ipxeRequestShape } from './ipxe/request.ts'
import { Source, SourceRef } from './sources/source.ts'
import { syslinuxRequestShape } from './syslinux/request.ts'

/** Tried instead of the manager's own sources. */
const source = Source.optional()

const IpxeRequest = z.strictObject({ ...ipxeRequestShape, source }).superRefine(checkIpxeRequest)
const GrubRequest = z.strictObject({ ...grubRequestShape, source })
const SyslinuxRequest = z.strictObject({ ...syslinuxRequestShape, source })

/** What shall be built. Two equal requests are one build. */
export const BuildRequest = z.discriminatedUnion('builder', [IpxeRequest, GrubRequest, SyslinuxRequest])
export type BuildRequest = z.infer<typeof BuildRequest>
export type NewBuildRequest = z.input<typeof BuildRequest>
export type IpxeRequest = z.infer<typeof IpxeRequest>
export type GrubRequest = z.infer<typeof GrubRequest>
export type SyslinuxRequest = z.infer<typeof SyslinuxRequest>

/** A request with the places to try for its source: what a worker needs, wherever it runs. */
export const BuildPlan = z.object({
  hash: z.string(),
  request: BuildRequest,
  sources: z.array(Source),
  /** Places of the settings that are not there; only for the error when none of the others has it either. */
  missing: z.array(z.string()).default([]),
})
export type BuildPlan = z.infer<typeof BuildPlan>

/** Bytes in the bucket under the name of their target, such as `bin-x86_64-efi/snponly.efi`. */
export const BuildOutput = ArtifactRef.extend({
  name: z
    .string()
    .regex(/^[\w.+-]+(\/[\w.+-]+)*$/)
    .max(200),
})

/** What was made of a request; the document `builds/{hash}.json` of the bucket, written last. */
export const BuildManifest = z.object({
  kind: z.literal('build'),
  hash: z.string(),
  request: BuildRequest,
  source: SourceRef,
  outputs: z.array(BuildOutput),
  /** Debian package of what compiled -> its version. */
  toolchain: z.record(z.string(), z.string()),
  /** Epoch ms. */
  startedAt: z.int(),
  finishedAt: z.int(),
  seconds: z.number(),
})
export type BuildManifest = z.infer<typeof BuildManifest>

/** Rises when builders make other bytes of the same request; older builds are then made anew. */
const EDITION = 1

/** Name of a build and of its job. */
export function buildHash(request: BuildRequest, sources: readonly Source[]): string {
  return createHash('sha256')
    .update(canonical({ edition: EDITION, request, sources }))
    .digest('hex')
}

export const buildKey = (hash: string) => `builds/${hash}.json`

/** JSON with the members of each object in order, so that equal values are equal text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
