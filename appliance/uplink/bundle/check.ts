import { BUNDLE_FORMAT, BundleHead } from '@bridgehead/shared/model/bundle.ts'
import { fingerprintOf, type PublicKey, SignatureError, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { artifactsOf, type SiteState } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { explain } from '../explain.ts'
import { type Applied, judgeState } from '../judge-state.ts'
import { payloadOf } from '../state-keeper.ts'

/** Why a bundle was not imported; the message is a sentence for people. */
export class BundleError extends Error {
  readonly code = 'bundle'
}

/** What this box is when a bundle comes. */
export interface Standing {
  /** Absent: it belongs to nobody yet. */
  site?: { id: string; name: string } | undefined
  /** Whose signatures count. */
  keys: readonly PublicKey[]
  applied?: Applied | undefined
}

export interface CheckedHead {
  head: BundleHead
  /** Whose signatures count for what follows. */
  keys: readonly PublicKey[]
  /** A person vouched for a key that this box did not trust before. */
  pins: boolean
}

/**
 * Whether the bundle may be read on. Without `trust`, a key that this box trusts already must have signed it. `trust` is the fingerprint
 * of a key that a person compared: that one must have signed it, and then its word counts for the other keys. Throws BundleError.
 */
export async function checkHead(jws: string, trust: string | undefined, standing: Standing): Promise<CheckedHead> {
  const said = readUnverified(jws)
  const fingerprints = await Promise.all(said.managerKeys.map(async (key) => ({ key, fingerprint: await fingerprintOf(key) })))
  const vouched = fingerprints.find((one) => one.fingerprint === trust)?.key
  if (trust !== undefined && !vouched)
    throw new BundleError(
      `no key of this bundle has the fingerprint ${trust}; those that it carries: ${fingerprints.map((one) => one.fingerprint).join(', ')}`,
    )
  if (!standing.site && !vouched)
    throw new BundleError(
      `this box belongs to no site yet, and nobody has vouched for the bundle (site "${said.name}", revision ${said.revision}). It says that a key with this fingerprint signed it:\n  ${fingerprints[0]?.fingerprint}\nCompare it with the one that the manager shows for the bundle. If they are the same, run again with --trust and that fingerprint`,
    )
  const pins = vouched !== undefined && !standing.keys.some(({ x }) => x === vouched.x)
  const head = BundleHead.parse(await verified('bundle', jws, pins ? [vouched] : standing.keys))
  if (standing.site && head.site !== standing.site.id)
    throw new BundleError(
      `the bundle is for site "${head.name}" (${head.site}); this box belongs to "${standing.site.name}" (${standing.site.id})`,
    )
  if (standing.applied && head.revision < standing.applied.revision)
    throw new BundleError(`the bundle holds revision ${head.revision}; this site already runs revision ${standing.applied.revision}`)
  return { head, keys: pins ? head.managerKeys : standing.keys, pins }
}

/** The state inside, if this site may apply it and the head names all that it needs. Throws BundleError. */
export async function checkState(jws: string, { head, keys }: CheckedHead, { applied }: Standing): Promise<SiteState> {
  const value = await verified('state', jws, keys)
  const verdict = judgeState(value, payloadOf(jws), { site: head.site, applied })
  if (verdict.kind === 'refused') throw new BundleError(`the state in the bundle cannot be applied: ${verdict.why}`)
  const { state } = verdict
  if (state.revision !== head.revision)
    throw new BundleError(`the bundle promises revision ${head.revision}, but its state is revision ${state.revision}`)
  const brought = new Map(head.artifacts.map((ref) => [ref.sha256, ref.bytes]))
  const missing = artifactsOf(state).find((ref) => brought.get(ref.sha256) !== ref.bytes)
  if (missing) throw new BundleError(`the bundle does not bring ${missing.name} (${missing.sha256}), which its state names`)
  return state
}

/** The name of a media file is used as it is. */
const Name = z.string().refine((name) => !/^\.+$/.test(name))

/** Nothing in it may be believed, but for asking a person. */
function readUnverified(jws: string): BundleHead {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
  } catch (cause) {
    throw new BundleError('this is no offline bundle: its first entry is not a signed document', { cause })
  }
  const format = z.object({ format: z.int() }).safeParse(value)
  if (format.success && format.data.format > BUNDLE_FORMAT)
    throw new BundleError(
      `the bundle has layout ${format.data.format}; this appliance knows layout ${BUNDLE_FORMAT} and must be updated first`,
    )
  const head = BundleHead.safeParse(value)
  if (!head.success) throw new BundleError(`this is no offline bundle: ${explain(head.error)}`)
  const strange = head.data.media.find(({ name }) => !Name.safeParse(name).success)
  if (strange) throw new BundleError(`the bundle has a medium named "${strange.name}", which is no file name`)
  return head.data
}

async function verified(kind: 'bundle' | 'state', jws: string, keys: readonly PublicKey[]): Promise<unknown> {
  try {
    return await verifyDocument(kind, jws, keys)
  } catch (cause) {
    if (!(cause instanceof SignatureError)) throw cause
    throw new BundleError(`the ${kind === 'state' ? 'state in the bundle' : 'bundle'} is not to be trusted: ${cause.message}`, { cause })
  }
}
