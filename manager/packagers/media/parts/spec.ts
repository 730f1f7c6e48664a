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
  /** The package is an empty one: what it depends on by this name has the files (kernels: their names change with each version). */
  dependency?: RegExp
  /** Name of a file -> where it lies in the package (`*`: any characters of one name); several: the first that is there. No leading slash. */
  files: Readonly<Record<string, readonly string[]>>
  /** Makes the part's files out of the package's, once; they take the place of `files`. */
  make?: {
    names: readonly string[]
    run(paths: Readonly<Record<string, string>>, around: { directory: string; signal: AbortSignal }): Promise<Record<string, string>>
  }
  /** Whether this version will do; a sentence when not. */
  refuse?: (version: string) => string | undefined
}

/** What the finished part holds. */
export function namesOf({ files, make }: PartSpec): readonly string[] {
  return make?.names ?? Object.keys(files)
}

export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
