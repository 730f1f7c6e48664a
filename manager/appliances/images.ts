import { buffer } from 'node:stream/consumers'
import { ApplianceImageManifest, imageDocument } from '@bridgehead/shared/model/appliance-image.ts'
import { compareVersions } from '@bridgehead/shared/model/release.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { whyNoConfig } from './config-text.ts'

/**
 * Images that a manager knows. What it built itself (by a job, or by the command beside it) is everybody's: it holds nothing of anyone.
 * What an organisation built elsewhere is that organisation's alone, since others have no reason to trust it.
 */
export interface Images {
  find(organisation: string, hash: string): Promise<ApplianceImageManifest | undefined>
  /** Newest version first. */
  list(organisation: string): Promise<ApplianceImageManifest[]>
  /** A foreign-built image of this organisation. */
  add(organisation: string, manifest: ApplianceImageManifest): Promise<void>
  /** False when the organisation added no such image. */
  remove(organisation: string, hash: string): Promise<boolean>
}

type Documents = Pick<Bucket, 'getDocument' | 'putDocument' | 'deleteDocument' | 'listDocuments'>

export function imagesIn(bucket: Documents): Images {
  const folder = (organisation: string) => `appliance-images-of/${organisation}/`
  const own = (organisation: string, hash: string) => `${folder(organisation)}${hash}.json`
  const read = async (key: string) => ApplianceImageManifest.safeParse(await bucket.getDocument(key)).data
  return {
    find: async (organisation, hash) => (await read(own(organisation, hash))) ?? (await read(imageDocument(hash))),
    async list(organisation) {
      const found = new Map<string, ApplianceImageManifest>()
      for (const prefix of ['appliance-images/', folder(organisation)])
        for await (const key of bucket.listDocuments(prefix)) {
          const manifest = await read(key)
          if (manifest) found.set(manifest.hash, manifest)
        }
      return [...found.values()].sort((a, b) => compareVersions(b.version, a.version) || (a.hash < b.hash ? -1 : 1))
    },
    add: (organisation, manifest) => bucket.putDocument(own(organisation, manifest.hash), manifest),
    async remove(organisation, hash) {
      if (!(await read(own(organisation, hash)))) return false
      await bucket.deleteDocument(own(organisation, hash))
      return true
    },
  }
}

/** Why this image cannot be taken: an artifact that the bucket has not, or has otherwise, or no place for bridgehead.json. By field. */
export async function faultsOf(
  bucket: Pick<Bucket, 'head' | 'get'>,
  manifest: ApplianceImageManifest,
): Promise<{ path: string[]; message: string }[]> {
  const refs = {
    'image.raw': manifest.image.raw,
    slot: manifest.slot,
    blocks: manifest.blocks,
    sbom: manifest.sbom,
    licences: manifest.licences,
  }
  const faults: { path: string[]; message: string }[] = []
  for (const [name, ref] of Object.entries(refs)) {
    const found = await bucket.head(ref.sha256)
    const path = name.split('.')
    if (!found) faults.push({ path: [...path, 'sha256'], message: `the bucket holds no object ${ref.sha256}; put it there first` })
    else if (found.bytes !== ref.bytes)
      faults.push({ path: [...path, 'bytes'], message: `expected ${found.bytes}, as the object has, got ${ref.bytes}` })
  }
  if (faults.length > 0) return faults
  const { raw, configOffset, configBytes } = manifest.image
  const why = whyNoConfig(await buffer(await bucket.get(raw.sha256, { start: configOffset, end: configOffset + configBytes - 1 })))
  return why === undefined ? [] : [{ path: ['image', 'configOffset'], message: `${why} at ${configOffset}` }]
}
