import type { MakerDeps } from '../engines/jobs/maker-deps.ts'
import type { ConfiguredSource } from './sources/source.ts'

export type BuilderName = 'ipxe' | 'grub' | 'syslinux'
/** Places to try for a builder's source, in this order. */
export type BuilderSources = Record<BuilderName, readonly ConfiguredSource[]>

/** What every builder needs; some 2 GiB in `workDirectory`. */
export interface BuildDeps extends MakerDeps {
  sources: BuilderSources
}
