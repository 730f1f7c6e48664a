/** Where a command writes. On a terminal the last lines may change in place; elsewhere every line is written once. */
export interface Screen {
  readonly live: boolean
  readonly width: number
  /** A line that stays. */
  say(line: string): void
  /** The changing lines below all that was said; replaced as a whole. Does nothing without a terminal. */
  show(lines: readonly string[]): void
  /** Lets the changing lines stay as they are. */
  keep(): void
}

export function createScreen(out: { write(text: string): unknown; isTTY?: boolean; columns?: number }): Screen {
  const live = out.isTTY === true
  let shown: readonly string[] = []
  const erase = () => (shown.length === 0 ? '' : `\x1b[${shown.length}A\r\x1b[J`)
  const width = () => out.columns ?? 100
  const body = (lines: readonly string[]) => lines.map((line) => `${cut(line, width() - 1)}\n`).join('')
  return {
    live,
    get width() {
      return width()
    },
    say(line) {
      out.write(`${live ? erase() : ''}${line}\n${live ? body(shown) : ''}`)
    },
    show(lines) {
      if (!live) return
      const before = erase()
      shown = lines
      out.write(before + body(lines))
    },
    keep() {
      shown = []
    },
  }
}

function cut(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line
}
