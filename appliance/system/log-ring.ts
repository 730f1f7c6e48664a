/** The last lines of the log, for the local page: there is no other way to them on a box without a shell. */
export interface LogRing {
  /** A stream for createLog: keeps the line and passes it on. */
  write(line: string): void
  /** Oldest first. */
  lines(): string[]
}

const BYTES = 128 * 1024

export function createLogRing(pass: (line: string) => void): LogRing {
  let kept: string[] = []
  let bytes = 0
  return {
    write(line) {
      pass(line)
      kept.push(line)
      bytes += line.length
      if (bytes <= BYTES) return
      // half at a time: nothing is moved at each line
      kept = kept.slice(kept.length >> 1)
      bytes = kept.reduce((sum, one) => sum + one.length, 0)
    },
    lines: () => kept.map((line) => line.trimEnd()),
  }
}
