import { z } from 'zod'
import { ArtifactRef } from './state.ts'

/** A version as semver.org 2.0 writes it, without build metadata. */
export const Version = z
  .string()
  .max(64)
  .regex(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/, 'expected a version such as 1.2.3 or 1.2.3-rc.1')

/** Kinds of machine that an appliance image is built for. Documents name boards as text: an older box must be able to read of newer ones. */
export const Board = z.enum(['x86_64', 'rpi'])
export type Board = z.infer<typeof Board>

/** A block of a slot, and of its index. */
export const BLOCK_BYTES = 65_536
/** SHA-256 of each block, one after the other, in the index artifact. */
export const BLOCK_HASH_BYTES = 32

/** What a box checks before it replaces its system. Signed by the manager (kind `release`), one per board. */
export const ReleaseManifest = z.object({
  protocol: z.int(),
  kind: z.literal('release'),
  version: Version,
  /** Board names; see Board. */
  boards: z.array(z.string().max(32)).min(1),
  /** A box whose running version is older than this must take another release first. */
  floor: Version,
  /** Epoch ms; afterwards no box begins with it. */
  expiresAt: z.int(),
  /** One squashfs, as it goes into the slot. */
  slot: ArtifactRef,
  /** The index of its blocks; the last block may be short. */
  blocks: ArtifactRef,
  blockBytes: z.literal(BLOCK_BYTES),
  /** Steps of the store's schema that this version knows (the length of its MIGRATIONS). */
  dataSchema: z.int().nonnegative(),
  /** This one may be older than what runs: a wish to go back, by an operator. */
  rollback: z.boolean().default(false),
})
export type ReleaseManifest = z.infer<typeof ReleaseManifest>

/** Order of versions by semver.org §11: negative when `a` is older. Both must be Versions. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)]
  for (let part = 0; part < 3; part++) {
    const difference = Number(left.core[part]) - Number(right.core[part])
    if (difference !== 0) return difference
  }
  if (left.pre.length === 0 || right.pre.length === 0) return right.pre.length - left.pre.length // a pre-release comes before its release
  for (let part = 0; part < Math.max(left.pre.length, right.pre.length); part++) {
    const difference = comparePart(left.pre[part], right.pre[part])
    if (difference !== 0) return difference
  }
  return 0
}

function split(version: string): { core: string[]; pre: string[] } {
  const dash = version.indexOf('-')
  const core = dash < 0 ? version : version.slice(0, dash)
  return { core: core.split('.'), pre: dash < 0 ? [] : version.slice(dash + 1).split('.') }
}

/** Numbers before words, a shorter list before a longer one. */
function comparePart(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1
  const numbers = [/^\d+$/.test(a), /^\d+$/.test(b)]
  if (numbers[0] && numbers[1]) return Number(a) - Number(b)
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}
