import { createHash } from 'node:crypto'
import { Board, Version } from '@bridgehead/shared/model/release.ts'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

/** Which appliance image is wanted. */
export const ApplianceImageRequest = z.strictObject({
  board: Board,
  /** The project's own when left out. */
  version: Version.optional(),
  /** Quick to make, larger. */
  dev: z.boolean().default(false),
})
export type ApplianceImageRequest = z.infer<typeof ApplianceImageRequest>

/** What was made; the document `appliance-images/{hash}.json` of the bucket. */
export const ApplianceImageManifest = z.object({
  kind: z.literal('appliance-image'),
  hash: z.string(),
  board: Board,
  version: Version,
  /** `git describe` of the source that it was made from. */
  builtFrom: z.string(),
  kernel: z.string(),
  image: z.object({
    /** The whole disk. */
    raw: ArtifactRef,
    bytes: z.int().positive(),
    sha256: z.string(),
    /** Where bridgehead.json lies in it, in one piece. */
    configOffset: z.int().positive(),
    configBytes: z.literal(4096),
  }),
  /** One squashfs; a release's artifact. */
  slot: ArtifactRef,
  /** SHA-256 of each block of 64 KiB of the slot, 32 bytes each. */
  blocks: ArtifactRef,
  /** SPDX 2.3, JSON. */
  sbom: ArtifactRef,
  /** Texts of all licences. */
  licences: ArtifactRef,
  packages: z.array(z.object({ name: z.string(), version: z.string(), sha256: z.string() })),
  /** Seconds by step. */
  seconds: z.record(z.string(), z.number()),
})
export type ApplianceImageManifest = z.infer<typeof ApplianceImageManifest>

export const APPLIANCE_IMAGES = 'appliance-images/'
export const applianceImageKey = (hash: string) => `${APPLIANCE_IMAGES}${hash}.json`

/** Name of an image by all that shapes it. */
export function applianceImageHash(inputs: Readonly<Record<string, string | boolean | number>>): string {
  const sorted = Object.fromEntries(Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1)))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}
