import { z } from 'zod'
import { BLOCK_BYTES, BLOCK_HASH_BYTES, Board, Version } from './release.ts'
import { ArtifactRef } from './state.ts'

/** Size of `bridgehead.json` in an image: JSON text, padded with spaces, "\n" at its end. */
export const CONFIG_BYTES = 4096
/** How the text in a base image begins; by it the builder finds and checks the place. */
export const CONFIG_MAGIC = '{"bridgehead":1'

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')

const Shape = z.object({
  kind: z.literal('appliance-image'),
  /** Of everything that it was made of; names the document `appliance-images/{hash}.json` in the bucket. */
  hash: Sha256,
  board: Board,
  version: Version,
  image: z.object({
    /** Its beginning, as it lies in the bucket. What is missing to `bytes` are zeros. */
    raw: ArtifactRef,
    /** Of the whole disk, as it is downloaded and written. */
    bytes: z.int().positive(),
    /** Of the whole disk, with the placeholder inside and all its zeros. */
    sha256: Sha256,
    /** Where `bridgehead.json` lies, in bytes from the disk's beginning; its clusters follow each other. */
    configOffset: z.int().nonnegative().multipleOf(512),
    configBytes: z.literal(CONFIG_BYTES),
  }),
  /** The squashfs that lies in slot A. */
  slot: ArtifactRef,
  /** SHA-256 of each 64 KiB of the slot (the last block may be short), one after the other. */
  blocks: ArtifactRef,
  /** Steps of the appliance's store that this version knows; see ReleaseManifest. */
  dataSchema: z.int().nonnegative(),
  /** SPDX 2.3, JSON. */
  sbom: ArtifactRef,
  licences: ArtifactRef,
  packages: z.array(z.object({ name: z.string().max(200), version: z.string().max(200), sha256: Sha256 })).max(2_000),
})

/** What the appliance's image was built into, beside its bytes. */
export const ApplianceImageManifest = Shape.superRefine(({ image, slot, blocks }, context) => {
  const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message })
  if (image.raw.bytes > image.bytes)
    issue(['image', 'raw', 'bytes'], `expected at most the ${image.bytes} bytes of the disk, got ${image.raw.bytes}`)
  if (image.configOffset + image.configBytes > image.raw.bytes)
    issue(['image', 'configOffset'], `expected bridgehead.json to lie inside the ${image.raw.bytes} bytes of the raw image`)
  const index = Math.ceil(slot.bytes / BLOCK_BYTES) * BLOCK_HASH_BYTES
  if (blocks.bytes !== index) issue(['blocks', 'bytes'], `expected ${index} for a slot of ${slot.bytes} bytes, got ${blocks.bytes}`)
})
export type ApplianceImageManifest = z.infer<typeof ApplianceImageManifest>

/** Where the manifest of an image lies in the bucket. */
export const imageDocument = (hash: string): string => `appliance-images/${hash}.json`
