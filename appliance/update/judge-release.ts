import { BLOCK_BYTES, BLOCK_HASH_BYTES, compareVersions, ReleaseManifest } from '@bridgehead/shared/model/release.ts'
import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'

/** The box, as far as it decides whether a release may run on it. */
export interface ThisBox {
  board: string
  /** What runs. */
  version: string
  /** The floor of the newest release that was committed here: nothing older comes back unasked. */
  floor: string | undefined
  /** Size of the slot that would be written. */
  slotBytes: number
  /** A version must know so many schema steps to read what this box has stored. */
  oldestReader: number
  /** The clock, epoch ms. */
  now: number
  /** Somebody confirmed the clock since the box was started. */
  timeKnown: boolean
  /** It is at least this late, whatever the clock says: when the signed state was written. */
  notBefore: number
}

export type Verdict =
  | { kind: 'good'; manifest: ReleaseManifest }
  | { kind: 'later'; manifest: ReleaseManifest; why: string }
  | { kind: 'refused'; why: string; version: string | undefined }

/** Whether a manifest whose signature was verified may be installed on this box. Pure. Reasons are sentences for people. */
export function judgeRelease(value: unknown, box: ThisBox): Verdict {
  let version: string | undefined
  const refuse = (why: string): Verdict => ({ kind: 'refused', why, version })
  const protocol = z.object({ protocol: z.int() }).safeParse(value)
  if (protocol.success && protocol.data.protocol > PROTOCOL)
    return refuse(`written in protocol ${protocol.data.protocol}; this box speaks ${PROTOCOL} and must take an older release first`)
  const parsed = ReleaseManifest.safeParse(value)
  if (!parsed.success)
    return refuse(parsed.error.issues.map((issue) => `${issue.path.join('.') || 'manifest'}: ${issue.message}`).join('; '))
  const manifest = parsed.data
  const { boards, floor, slot, blocks, dataSchema, rollback } = manifest
  version = manifest.version
  if (!boards.includes(box.board)) return refuse(`${version} is for ${boards.join(', ')}; this box is ${box.board}`)
  if (compareVersions(box.version, floor) < 0)
    return refuse(`${version} takes boxes from ${floor} on; this one runs ${box.version}, so a release in between must come first`)
  if (!rollback && compareVersions(version, box.version) < 0)
    return refuse(`${version} is older than ${box.version}, which runs; going back must be ordered as such`)
  if (!rollback && box.floor !== undefined && compareVersions(version, box.floor) < 0)
    return refuse(`${version} is older than ${box.floor}, below which this box does not go any more; going back must be ordered as such`)
  if (dataSchema < box.oldestReader)
    return refuse(`${version} reads stores up to schema ${dataSchema}; what this box has stored needs ${box.oldestReader}`)
  if (slot.bytes === 0 || slot.bytes > box.slotBytes)
    return refuse(`${version} has ${slot.bytes} bytes; this box's slot takes ${box.slotBytes}`)
  const indexBytes = Math.ceil(slot.bytes / BLOCK_BYTES) * BLOCK_HASH_BYTES
  if (blocks.bytes !== indexBytes) return refuse(`its index has ${blocks.bytes} bytes; ${slot.bytes} bytes of system need ${indexBytes}`)
  return judgeExpiry(manifest, box)
}

/**
 * A box without a battery may believe in any year. It is certainly no earlier than the signed state that names the release; a clock that
 * says later counts only once somebody confirmed it. So a slow clock cannot revive an old release, and a fast one cannot refuse a good one.
 */
function judgeExpiry(manifest: ReleaseManifest, { now, timeKnown, notBefore }: ThisBox): Verdict {
  const { version, expiresAt } = manifest
  if (notBefore >= expiresAt)
    return { kind: 'refused', version, why: `${version} expired on ${day(expiresAt)}, before the site's state of ${day(notBefore)}` }
  if (now < expiresAt) return { kind: 'good', manifest }
  if (timeKnown) return { kind: 'refused', version, why: `${version} expired on ${day(expiresAt)}; today is ${day(now)}` }
  return {
    kind: 'later',
    manifest,
    why: `this box's clock says ${day(now)}, past the expiry of ${version} on ${day(expiresAt)}, and nobody confirmed it yet`,
  }
}

function day(at: number): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? `${at}` : date.toISOString().slice(0, 10)
}
