import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

const LONGEST = 16_384

/**
 * Calls `onLine` for each line, one after the other, without control characters and colours; `bytes` counts what came in for it. Longer
 * lines than 16 KiB come in pieces. A closed stream is an ended one.
 */
export async function splitLines(stream: Readable, onLine: (line: string, bytes: number) => void | Promise<void>): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  const tell = (line: string) => onLine(clean(line), Buffer.byteLength(line) + 1)
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      rest += decoder.write(chunk as Buffer)
      for (let end = lineEnd(rest); end > 0; end = lineEnd(rest)) {
        await tell(rest.slice(0, end).replace(/\n$/, ''))
        rest = rest.slice(end)
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
  if (rest !== '') await tell(rest)
}

/** Length of the first whole line with its end, or 0. */
function lineEnd(text: string): number {
  const end = text.indexOf('\n') + 1
  if (end > 0 && end <= LONGEST) return end
  return text.length >= LONGEST ? LONGEST : end
}

const clean = (line: string) => line.replaceAll(/\x1b\[[0-9;]*[A-Za-z]/g, '').replaceAll(/[\x00-\x08\x0b-\x1f\x7f]/g, '')
