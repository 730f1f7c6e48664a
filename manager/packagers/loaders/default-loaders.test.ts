import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@bridgehead/shared/log.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testBucket } from '../../engines/bucket/test-bucket.ts'
import { importDefaultLoaders } from './default-loaders.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
})
afterEach(() => rm(directory, { recursive: true }))

for (const { debian, files, names } of [
  { debian: '12', files: ['undionly.kpxe', 'snponly.efi', 'ipxe.efi'], names: ['ipxe.efi', 'snponly.efi', 'undionly.kpxe'] },
  {
    debian: '13',
    files: ['undionly.kpxe', 'snponly.efi', 'ipxe-amd64.efi', 'ipxe-arm64.efi'],
    names: ['ipxe-arm64.efi', 'ipxe.efi', 'snponly.efi', 'undionly.kpxe'],
  },
])
  test(`the files of Debian ${debian}'s package ipxe become loaders under their TFTP names`, async () => {
    for (const file of files) await writeFile(join(directory, file), file)
    const warnings: unknown[] = []
    const log = { ...silentLog, warn: (_: string, fields?: Record<string, unknown>) => warnings.push(fields?.name) }
    const bucket = testBucket(join(directory, 'bucket'))
    const loaders = await importDefaultLoaders({ bucket, log, directory })
    expect(
      Object.keys(loaders)
        .filter((name) => name !== 'disk-x64.efi')
        .sort(),
    ).toEqual(names)
    for (const [name, ref] of Object.entries(loaders)) {
      expect(ref.name).toBe(name)
      expect(await bucket.head(ref.sha256)).toEqual({ sha256: ref.sha256, bytes: ref.bytes })
    }
    expect(warnings.includes('ipxe-arm64.efi')).toBe(debian === '12')
  })
