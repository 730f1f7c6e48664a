import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lock, LockedPackage } from '@bridgehead/image/lock.ts'
import { COMPONENTS } from '@bridgehead/image/packages.ts'
import type { Apt } from '../../engines/apt/apt.ts'
import { ArchiveError } from '../../engines/apt/archive.ts'
import { withPrivateApt } from '../../engines/apt/private.ts'
import { withWorkDirectory } from '../host-image/work-directory.ts'
import { isThere } from '../media/parts/spec.ts'
import { ApplianceImageError } from './error.ts'

export interface PackageDeps {
  apt: Apt
  signal: AbortSignal
  /** Lasts: packages are kept in `debs/`, by their sha256. */
  workDirectory: string
}

/** The .deb files of a lock: from the cache, else from the archive. sha256 -> path. Throws ApplianceImageError naming what cannot be had, ArchiveError without any archive. */
export async function getPackages(
  lock: Lock,
  packages: readonly LockedPackage[],
  { apt, signal, workDirectory }: PackageDeps,
): Promise<Map<string, string>> {
  const directory = join(workDirectory, 'debs')
  await mkdir(directory, { recursive: true })
  const at = ({ sha256 }: LockedPackage) => join(directory, `${sha256}.deb`)
  const missing: LockedPackage[] = []
  for (const one of packages) if (!(await isThere(at(one)))) missing.push(one)
  for (const backports of [false, true]) {
    const wanted = missing.filter((one) => (one.backports ?? false) === backports)
    if (wanted.length === 0) continue
    await withWorkDirectory(workDirectory, 'fetch', (work) =>
      withPrivateApt(
        { apt, signal, workDirectory, suite: lock.suite, architecture: lock.architecture, components: COMPONENTS, backports },
        async (archive) => {
          const files = await archive.downloadExactly(wanted, work).catch((cause: unknown) => {
            if (!(cause instanceof ArchiveError)) throw cause
            const advice = 'the archive may have gone on to newer ones: npm run image -- BOARD --update-lock takes those'
            throw new ApplianceImageError(`${cause.message}\n${advice}`, { cause })
          })
          for (const [index, one] of wanted.entries()) await rename(files[index] ?? '', at(one))
        },
      ),
    )
  }
  return new Map(packages.map((one) => [one.sha256, at(one)]))
}
