import { BOARD_SPECS, type Board } from '@bridgehead/image/boards.ts'
import type { Lock, LockedPackage } from '@bridgehead/image/lock.ts'
import { COMPONENTS, SUITE, TOOL_PACKAGES } from '@bridgehead/image/packages.ts'
import { type PrivateApt, withPrivateApt } from '../../engines/apt/private.ts'
import { ApplianceImageError } from './error.ts'
import type { PackageDeps } from './packages.ts'

/** The newest packages that the archive has for a board. Throws ArchiveError naming what it has not. */
export async function newestLock(board: Board, deps: PackageDeps): Promise<Lock> {
  const spec = BOARD_SPECS[board]
  const options = { ...deps, suite: SUITE, architecture: spec.debian, components: COMPONENTS }
  const packages = await withPrivateApt(options, async (archive) => [
    ...(await locked(archive, spec.root.map(nameOf), 'root')),
    ...(await locked(archive, spec.boot.map(nameOf), 'boot')),
    ...(spec.kernel.backports ? [] : await kernelOf(archive, spec.kernel)),
  ])
  if (spec.kernel.backports)
    await withPrivateApt({ ...options, backports: true }, async (archive) => {
      packages.push(...(await kernelOf(archive, spec.kernel)).map((one) => ({ ...one, backports: true as const })))
    })
  return { suite: SUITE, architecture: spec.debian, packages }
}

/** The newest programs that build images, for machines of this architecture. */
export async function newestTools(architecture: 'amd64' | 'arm64', deps: PackageDeps): Promise<Lock> {
  const options = { ...deps, suite: SUITE, architecture, components: COMPONENTS }
  const packages = await withPrivateApt(options, (archive) => locked(archive, TOOL_PACKAGES, 'tool'))
  return { suite: SUITE, architecture, packages }
}

const nameOf = ({ name }: { name: string }) => name

async function locked(archive: PrivateApt, names: readonly string[], use: LockedPackage['use']): Promise<LockedPackage[]> {
  return (await archive.newest(names)).map(({ name, version, sha256 }) => ({ name, version, sha256, use }))
}

/** The kernel's packages have its version in their names; an empty one names the first, and that one the others. */
async function kernelOf(archive: PrivateApt, { meta, packages }: { meta: string; packages: readonly RegExp[] }): Promise<LockedPackage[]> {
  const found = new Set<string>()
  for (let look = [meta]; look.length > 0; ) {
    const named = (await archive.newest(look)).flatMap(({ depends }) => depends)
    look = [...new Set(named)].filter((name) => !found.has(name) && packages.some((pattern) => pattern.test(name)))
    for (const name of look) found.add(name)
  }
  if (found.size === 0) throw new ApplianceImageError(`package ${meta} names no kernel`)
  return locked(archive, [...found], 'kernel')
}
