import type { BuildFailure } from './error.ts'

/** Reads a build's log line by line and knows at the end what went wrong first. */
export interface ErrorWatch {
  see(line: string): void
  /** The last lines, oldest first. */
  readonly lines: string[]
  /** `what`: name of the command, for a log that names no error. */
  verdict(what: string): { reason: BuildFailure; message: string }
}

const KEPT_LINES = 60
const LONGEST = 500

/** Compilers, assemblers, linkers, and tools that name no line; make's own words only where there is nothing better. */
const STRONG: readonly RegExp[] = [
  /^[^\s:][^:]*:\d+(:\d+)?: (fatal |internal compiler )?error:/i, // gcc, nasm, bison, flex, gas ("Error:")
  /^(gcc|cc1|cc1plus|cpp|\S*-gcc(-\d+)?): (fatal |internal compiler )?error:/,
  /undefined reference to|multiple definition of|relocation truncated to fit|cannot find -l/,
  /^(\S*\/)?(\S+-)?ld(\.\w+)?: (?!warning)/,
  /^(\S*\/)?(\S+-)?(objcopy|objdump|ar|strip|nasm|python3?|autopoint|autoreconf|automake|autom4te|aclocal|libtoolize|patch|tar)\b.*(: |[Ee]rror)/,
  /^configure: error:/,
  /^configure(\.ac)?:\d+: error:/,
  /^Can't locate \S+ in @INC/,
  /: (command )?not found$/,
  /^(error|fatal|fatal error): /i,
  /: No such file or directory$/,
  /^dpkg-source: error:/,
  /^make(\[\d+\])?: \*\*\* No rule to make target/,
]
const WEAK = /^make(\[\d+\])?: \*\*\* /

const LIMITS: readonly (readonly [BuildFailure, RegExp, string])[] = [
  [
    'memory',
    /virtual memory exhausted|^out of memory!?$|: out of memory( allocating \d+ bytes.*)?$|: cannot allocate memory$|std::bad_alloc|Killed signal terminated program/i,
    'its memory',
  ],
  [
    'processes',
    /fork: (retry: )?Resource temporarily unavailable|[Cc]annot fork|vfork: Resource temporarily|fork: Resource temp/,
    'its processes',
  ],
  ['output', /^File size limit exceeded|: File too large$|: No space left on device$/, 'the space for its output'],
]

export function createErrorWatch(): ErrorWatch {
  const lines: string[] = []
  let strong: string | undefined
  let weak: string | undefined
  let limit: { reason: BuildFailure; message: string } | undefined
  return {
    lines,
    see(line) {
      lines.push(line)
      if (lines.length > KEPT_LINES) lines.shift()
      if (!limit)
        for (const [reason, pattern, what] of LIMITS)
          if (pattern.test(line)) limit = { reason, message: `the build used up ${what}: ${short(line)}` }
      if (strong === undefined && STRONG.some((pattern) => pattern.test(line))) strong = short(line)
      if (weak === undefined && WEAK.test(line) && !/ignored\)?$/.test(line)) weak = short(line)
    },
    verdict(what) {
      if (limit) return limit
      const last = lines.findLast((line) => line.trim() !== '' && !WEAK.test(line))
      return { reason: 'exit', message: strong ?? weak ?? (last === undefined ? `${what} failed without a word` : short(last)) }
    },
  }
}

const short = (line: string) => (line.length > LONGEST ? `${line.slice(0, LONGEST)} ...` : line).trim()
