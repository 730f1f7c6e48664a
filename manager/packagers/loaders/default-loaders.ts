import { createReadStream } from 'node:fs'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '@bridgehead/shared/log.ts'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { DISK_LOADER, makeDiskLoader } from './disk-loader.ts'

const IPXE = '/usr/lib/ipxe'

/** TFTP name of a loader, and what Debian's package `ipxe` calls it: 12 and 13 differ. `ipxe-arm64.efi` came with 13. */
const FILES: readonly { name: string; candidates: readonly string[] }[] = [
  { name: 'undionly.kpxe', candidates: ['undionly.kpxe'] },
  { name: 'snponly.efi', candidates: ['snponly.efi'] },
  { name: 'ipxe.efi', candidates: ['ipxe-amd64.efi', 'ipxe.efi'] },
  { name: 'ipxe-arm64.efi', candidates: ['ipxe-arm64.efi'] },
]

/**
 * Puts Debian's prebuilt iPXE and the disk loader into the bucket, so that no compile stands between a newcomer and a boot. Returns
 * the loaders by TFTP name; one that this machine lacks is left out and logged. Takes some ten milliseconds; the same files again are no work.
 */
export async function importDefaultLoaders({
  bucket,
  log,
  directory = IPXE,
}: {
  bucket: Bucket
  log: Log
  directory?: string
}): Promise<Record<string, ArtifactRef>> {
  const work = await mkdtemp(join(tmpdir(), 'bridgehead-loaders-'))
  try {
    const loaders: Record<string, ArtifactRef> = {}
    for (const { name, candidates } of FILES) {
      const path = await firstThere(candidates.map((candidate) => join(directory, candidate)))
      if (path === undefined) log.warn('loaders.missing', { name, directory })
      else loaders[name] = { ...(await bucket.put(createReadStream(path), { name })), name }
    }
    try {
      loaders[DISK_LOADER] = {
        ...(await bucket.put(createReadStream(await makeDiskLoader(work)), { name: DISK_LOADER })),
        name: DISK_LOADER,
      }
    } catch (error) {
      log.warn('loaders.missing', { name: DISK_LOADER, error })
    }
    return loaders
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function firstThere(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const there = await access(path).then(
      () => true,
      () => false,
    )
    if (there) return path
  }
  return undefined
}
