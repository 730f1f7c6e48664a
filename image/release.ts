import { Board, Version } from '@bridgehead/shared/model/release.ts'
import { z } from 'zod'

/** `/usr/lib/bridgehead/release.json`: what a slot is. */
export const ReleaseFile = z.object({
  version: Version,
  board: Board,
  kernel: z.string(),
  node: z.string(),
  /** `git describe` of the source. */
  builtFrom: z.string(),
  /** Of that commit, seconds since 1970: the box's clock is never earlier. */
  time: z.int().nonnegative(),
})
export type ReleaseFile = z.infer<typeof ReleaseFile>

/** Files that an overlay adds make it another thing than the release of that version: `0.1.0` becomes `0.1.0-overlay`. */
export function versionOf(version: string, { overlay }: { overlay: boolean }): string {
  return Version.parse(overlay ? `${version}-overlay` : version)
}
