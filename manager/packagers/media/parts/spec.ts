import { access } from 'node:fs/promises'

/** Files that a medium takes from one Debian package. */
export interface PartSpec {
  /** Names the document `parts/{edition}/{name}.json`. */
  name: string
  package: string
  /** `all` also for packages that are the same everywhere. */
  architecture: 'amd64' | 'arm64' | 'all'
  /** Archive areas. */
  components: readonly string[]
  /** Debian releases tried in turn when this machine has no such package, or an unfit one; undefined: this machine's own. */
  suites: readonly (string | undefined)[]
  /** Name of a file -> where it lies in the package; several: the first that is there. No leading slash. */
  files: Readonly<Record<string, readonly string[]>>
  /** Whether this version will do; a sentence when not. */
  refuse?: (version: string) => string | undefined
}

export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
