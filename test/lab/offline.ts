import { createSigningKey } from '@bridgehead/appliance/uplink/identity.ts'
import type { Bucket, BucketBody } from '@bridgehead/manager/engines/bucket/bucket.ts'
import { createFilesystemBucket } from '@bridgehead/manager/engines/bucket/filesystem.ts'
import { createPresigner } from '@bridgehead/manager/engines/bucket/presign.ts'
import { makeBundle } from '@bridgehead/manager/packagers/media/bundle/make.ts'
import { type BundleOrder, orderBundle } from '@bridgehead/manager/packagers/media/bundle/order.ts'
import { type CompileInput, compile } from '@bridgehead/manager/sites/compile.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { type PrivateKey, signDocument } from '@bridgehead/shared/model/signed.ts'
import { type ArtifactRef, Lan, type SiteState } from '@bridgehead/shared/model/state.ts'
import type { z } from 'zod'
import type { Target } from './stack.ts'

/** A bundle in the bucket, as a file. */
export interface OfflineBundle {
  file: string
  order: BundleOrder
}

/** The manager's part in a site without uplink: it compiles, signs and packs, and is never reached by anyone. */
export interface OfflineManager {
  readonly site: string
  readonly bucket: Bucket
  put(body: BucketBody, name: string): Promise<ArtifactRef>
  /** Everything this site needs at `revision`: each machine that comes is approved and gets `target`. */
  bundle(options: {
    revision: number
    lan: z.input<typeof Lan>
    target: Target
    loaders: Readonly<Record<string, ArtifactRef>>
    media?: readonly ArtifactRef[]
    /** For another site, or by another manager. */
    site?: string
    key?: PrivateKey
  }): Promise<OfflineBundle>
}

/** `bucket`: its directory. */
export function createOfflineManager(directory: string): OfflineManager {
  const bucket = createFilesystemBucket({ directory, presigner: createPresigner(new Uint8Array(32)), clock: systemClock })
  const own = createSigningKey()
  const id = newId()
  return {
    site: id,
    bucket,
    put: async (body, name) => ({ ...(await bucket.put(body, { name })), name }),
    async bundle({ revision, lan, target, loaders, media = [], site = id, key = own }) {
      const { d: _, ...managerKey } = key
      const profile = { id: 'debian', name: 'debian', version: 1, targets: { x86_64: target }, vars: {} }
      const input: CompileInput = {
        site: {
          id: site,
          name: 'far-away',
          tags: {},
          lans: [Lan.parse(lan)],
          unknown: 'local-disk',
          dns: { zone: 'internal', forwarders: [], records: [] },
        },
        hosts: [],
        rules: [{ id: 'r', name: 'every machine', order: 1, match: {}, tags: { lab: 'yes' }, profile: profile.id }],
        ...{ profiles: [profile], scripts: [], keys: [], loaders, managerKeys: [managerKey] },
      }
      const state: SiteState = { ...compile(input), revision, at: 1_800_000_000_000 + revision }
      const jws = await signDocument('state', state, key)
      const order = await orderBundle(site, media, { signedState: async () => jws, signingKeys: [key], bucket })
      const { sha256 } = await makeBundle(order, { bucket, signal: new AbortController().signal })
      return { file: bucket.path?.(sha256) ?? '', order }
    },
  }
}
