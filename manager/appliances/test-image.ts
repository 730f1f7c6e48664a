import { createHash } from 'node:crypto'
import type { ApplianceImageManifest } from '@bridgehead/shared/model/appliance-image.ts'
import { BLOCK_BYTES } from '@bridgehead/shared/model/release.ts'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { encodeConfig } from './config-text.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Bytes that look random and are always the same: they do not compress, as a squashfs. */
export function noise(bytes: number, seed = 1): Buffer {
  const out = Buffer.alloc(bytes)
  for (let at = 0, block = 0; at < bytes; at += 32, block++) createHash('sha256').update(`${seed} ${block}`).digest().copy(out, at)
  return out
}

/** For tests: an image in the bucket that has all an image has, but boots nowhere. `bytes`: of the disk; a quarter of it is zeros at its end. */
export async function putTestImage(
  bucket: Bucket,
  {
    version = '1.0.0',
    bytes = 1_048_576,
    configOffset = 65_536,
    board = 'x86_64' as const,
    hash = sha256(Buffer.from(`image ${version} ${board}`)),
  } = {},
): Promise<{ manifest: ApplianceImageManifest; disk: Buffer }> {
  const disk = Buffer.concat([noise((bytes * 3) / 4, 7), Buffer.alloc(bytes / 4)])
  disk.set(encodeConfig({}), configOffset)
  const put = async (name: string, data: Uint8Array) => ({ name, ...(await bucket.put(data, { name })) })
  const slot = noise(150_000, version.length + version.charCodeAt(0))
  const hashes: Buffer[] = []
  for (let at = 0; at < slot.length; at += BLOCK_BYTES)
    hashes.push(
      createHash('sha256')
        .update(slot.subarray(at, at + BLOCK_BYTES))
        .digest(),
    )
  const manifest: ApplianceImageManifest = {
    kind: 'appliance-image',
    hash,
    board,
    version,
    image: {
      raw: await put('bridgehead.img', disk.subarray(0, (bytes * 3) / 4)),
      bytes,
      sha256: sha256(disk),
      configOffset,
      configBytes: 4096,
    },
    slot: await put('slot.squashfs', slot),
    blocks: await put('slot.blocks', Buffer.concat(hashes)),
    dataSchema: 1,
    sbom: await put('sbom.json', Buffer.from('{}')),
    licences: await put('licences.txt', Buffer.from('MIT')),
    packages: [],
  }
  return { manifest, disk }
}
