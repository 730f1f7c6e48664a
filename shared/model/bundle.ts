import { z } from 'zod'
import { PublicKeyJwk } from './enrolment.ts'
import { ArtifactRef } from './state.ts'

/** Layout of an offline bundle. An appliance refuses a younger one than it knows. */
export const BUNDLE_FORMAT = 1

/**
 * First entry of an offline bundle, signed (kind `bundle`): what the file holds, in the order in which it comes. Everything in it follows
 * from the state and the media, so that the same ones give the same bytes.
 */
export const BundleHead = z.object({
  format: z.int(),
  site: z.uuid(),
  /** Of the site, for people. */
  name: z.string().max(200),
  revision: z.int().positive(),
  /** When this revision was compiled, epoch ms. */
  at: z.int(),
  /** Everything that the state names. */
  artifacts: z.array(ArtifactRef).max(10_000),
  /** Boot media for people to write to sticks and cards; the appliance itself does not need them. */
  media: z.array(ArtifactRef).max(1_000).default([]),
  /** What a box that belongs to nobody yet shall trust, once a person has compared the fingerprint of one of them. The first one signs. */
  managerKeys: z.array(PublicKeyJwk).min(1).max(32),
})
export type BundleHead = z.infer<typeof BundleHead>

/** Names inside the tar file. */
export const HEAD_ENTRY = 'bundle.jws'
export const STATE_ENTRY = 'state.jws'

/** A file of the bundle, under its name there. */
export interface BundleEntry {
  entry: string
  artifact: ArtifactRef
}

/** What comes after head and state, in this order and nothing else. */
export function entriesOf({ artifacts, media }: Pick<BundleHead, 'artifacts' | 'media'>): BundleEntry[] {
  return [
    ...artifacts.map((artifact) => ({ entry: `artifacts/${artifact.sha256}`, artifact })),
    ...media.map((artifact) => ({ entry: `media/${artifact.sha256}`, artifact })),
  ]
}
