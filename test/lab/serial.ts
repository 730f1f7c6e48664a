import { createWriteStream } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'

/** One line that a machine wrote on its serial port. */
export interface SerialLine {
  /** Epoch ms of its end. */
  at: number
  text: string
}

/** Turns what a serial port sends into lines without terminal codes, each with its time, and keeps all of it in a file. */
export interface SerialLog {
  readonly file: string
  readonly lines: readonly SerialLine[]
  feed(chunk: Buffer): void
  /** The first line from index `from` on that fits, the unfinished one included. */
  find(pattern: RegExp, from?: number): SerialLine | undefined
  /** The last lines that say something, for error messages. */
  last(count: number): string
  close(): void
}

export function createSerialLog({ file, now }: { file: string; now: () => number }): SerialLog {
  const out = createWriteStream(file, { flags: 'a' })
  const lines: SerialLine[] = []
  let open = ''
  const plain = (text: string) => stripVTControlCharacters(text).replace(/[^\x20-\x7e\u00a0-\uffff]/g, '')
  return {
    file,
    lines,
    feed(chunk) {
      const parts = (open + chunk.toString('utf8')).split(/\r?\n/)
      open = parts.pop() ?? ''
      for (const part of parts) {
        const line = { at: now(), text: plain(part) }
        lines.push(line)
        out.write(`${new Date(line.at).toISOString()} ${line.text}\n`)
      }
    },
    find(pattern, from = 0) {
      const found = lines.slice(from).find((line) => pattern.test(line.text))
      if (found) return found
      const rest = plain(open)
      return pattern.test(rest) ? { at: now(), text: rest } : undefined
    },
    last(count) {
      return [...lines.map((line) => line.text), plain(open)]
        .filter((text) => text.trim() !== '')
        .slice(-count)
        .join('\n')
    },
    close: () => void out.end(),
  }
}
