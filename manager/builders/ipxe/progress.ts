/** Follows a make by the lines that iPXE's Makefile writes ("  [BUILD] bin/ping_cmd.o"). */
export interface MakeProgress {
  /** Undefined when the line tells nothing new. */
  see(line: string): { fraction: number; text: string } | undefined
  /** Compiled so far. */
  readonly objects: number
}

/** Reading what a file depends on takes about a fifth of the time of compiling it. */
const DEPS_SHARE = 0.2

/**
 * `known`: objects of this platform in an earlier build; `sources`: files that may be compiled, for a first build, in which the files read
 * for their dependencies are counted as objects to come. A warm tree compiles one object: there the step itself is told.
 */
export function createMakeProgress({ known, sources, warm }: { known: number | undefined; sources: number; warm: boolean }): MakeProgress {
  const read = new Set<string>() // make reads some of them twice
  let objects = 0
  let last = 0
  return {
    get objects() {
      return objects
    },
    see(line) {
      const [, step, what] = /^\s*\[([A-Z]+)\] (\S+)/.exec(line) ?? []
      if (step === undefined || what === undefined) return undefined
      if (step === 'DEPS') read.add(what)
      if (step === 'BUILD') objects++
      const all = Math.max(known ?? read.size, objects)
      const ready = Math.min(1, read.size / Math.max(sources, 1))
      const compiled = DEPS_SHARE * ready + (1 - DEPS_SHARE) * (all === 0 ? 0 : objects / all)
      const now = step === 'DEPS' || step === 'BUILD' ? (warm ? 0.5 : 0.95 * compiled) : 0.97
      last = Math.max(last, now)
      const text = step === 'BUILD' && !warm ? `${objects} of ${all} objects` : `${step.toLowerCase()} ${what}`
      return { fraction: last, text }
    },
  }
}
