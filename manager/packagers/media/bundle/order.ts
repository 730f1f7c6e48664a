import { BUNDLE_FORMAT, type BundleHead, entriesOf, HEAD_ENTRY, STATE_ENTRY } from '@bridgehead/shared/model/bundle.ts'
import { fingerprintOf, type PrivateKey, signDocument, verifyDocument } from '@bridgehead/shared/model/signed.ts'
import { ArtifactRef, artifactsOf, SiteState } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Bucket } from '../../../engines/bucket/bucket.ts'

/** What an offline bundle cannot be made of; the message is a sentence for people. */
export class BundleError extends Error {
  readonly code = 'bundle'
}

/**
 * Everything that packing needs, and no secret: whoever reaches the bucket can pack it. Only the manager can write an order, because it
 * alone has the state and the key.
 */
export const BundleOrder = z.object({
  site: z.uuid(),
  revision: z.int().positive(),
  /** File name of the bundle. */
  name: z.string(),
  /** Size of the bundle. */
  bytes: z.int().positive(),
  entries: z.array(z.object({ entry: z.string(), artifact: ArtifactRef })),
  /** Of the key that signed it: what a person gives to `import --trust` on a box that belongs to nobody yet. */
  fingerprint: z.string(),
})
export type BundleOrder = z.infer<typeof BundleOrder>

/** What a bundle is made from; filled by whoever has the states and the keys. */
export interface BundleSource {
  /** The newest compiled state of a site as it was signed; undefined before the first one. */
  signedState(site: string): Promise<string | undefined>
  /** The first one signs. */
  signingKeys: readonly [PrivateKey, ...PrivateKey[]]
  bucket: Pick<Bucket, 'put' | 'head'>
}

/** What the file holds for this state. Pure; equal states and media give equal heads. */
export function planBundle(state: SiteState, media: readonly ArtifactRef[], keys: BundleHead['managerKeys']): BundleHead {
  const named = new Map(artifactsOf(state).map((ref) => [ref.sha256, ref]))
  const unique = new Map(media.map((ref) => [ref.sha256, ref]))
  return {
    format: BUNDLE_FORMAT,
    site: state.site,
    name: state.name,
    revision: state.revision,
    at: state.at,
    artifacts: bySha256(named.values()),
    media: bySha256(unique.values()),
    managerKeys: keys.map(({ kid, kty, crv, x }) => ({ kid, kty, crv, x })),
  }
}

/** Size of a tar file (POSIX.1-1988 ustar): a block of 512 bytes before each file, files filled up to whole blocks, two blocks at the end. */
export function tarBytes(files: readonly { bytes: number }[]): number {
  return files.reduce((sum, { bytes }) => sum + 512 + Math.ceil(bytes / 512) * 512, 1024)
}

/**
 * The order for a bundle of this site's newest state, with `media` that lie in the bucket already. Throws BundleError when there is no
 * state yet, or when the bucket lacks something.
 */
export async function orderBundle(site: string, media: readonly ArtifactRef[], { signedState, signingKeys, bucket }: BundleSource) {
  const jws = await signedState(site)
  if (jws === undefined || jws === '') throw new BundleError(`the state of site ${site} is not compiled yet; ask again`)
  const state = SiteState.parse(await verifyDocument('state', jws, signingKeys))
  const head = planBundle(state, media, [...signingKeys])
  const rest = entriesOf(head)
  for (const { artifact } of rest) await checkHeld(artifact, bucket)

  const store = async (entry: string, text: string) => {
    const bytes = new TextEncoder().encode(text)
    return { entry, artifact: { ...(await bucket.put(bytes, { name: entry })), name: entry } }
  }
  const first = await store(HEAD_ENTRY, await signDocument('bundle', head, signingKeys[0]))
  const entries = [first, await store(STATE_ENTRY, jws), ...rest]
  const order: BundleOrder = {
    site: state.site,
    revision: state.revision,
    name: `bridgehead-${fileName(state.name)}-${state.revision}.tar`,
    bytes: tarBytes(entries.map(({ artifact }) => artifact)),
    entries,
    fingerprint: await fingerprintOf(signingKeys[0]),
  }
  return order
}

/** Throws BundleError where the bucket has lost an artifact, or holds another size than the state says. */
export async function checkHeld({ sha256, bytes, name }: ArtifactRef, bucket: Pick<Bucket, 'head'>): Promise<void> {
  const held = await bucket.head(sha256)
  if (!held) throw new BundleError(`the bucket has lost ${name} (${sha256}), which the bundle needs; build it again`)
  if (held.bytes !== bytes) throw new BundleError(`${name} (${sha256}) has ${held.bytes} bytes in the bucket, but ${bytes} were promised`)
}

function fileName(site: string): string {
  return site.replaceAll(/[^\w.-]+/g, '-').slice(0, 60) || 'site'
}

function bySha256(refs: Iterable<ArtifactRef>): ArtifactRef[] {
  return [...refs].map(({ sha256, bytes, name }) => ({ sha256, bytes, name })).sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
}
