export type StreamName = 'stdout' | 'stderr'

export interface OutputPart {
  seq: number
  stream: StreamName
  text: string
}

export const PART_BYTES = 16_384
export const TOTAL_BYTES = 1_048_576

/**
 * Turns what a script prints into bounded parts, never cut inside a character (bytes that are no UTF-8 become U+FFFD). After
 * `TOTAL_BYTES` of text one note follows and the rest is dropped. Pure but for what it holds; the caller decides when to `take`.
 */
export class Output {
  #seq = 0
  #taken = 0
  #isFull = false
  #waiting: { stream: StreamName; text: string; bytes: number }[] = []
  readonly #decoders = { stdout: newDecoder(), stderr: newDecoder() }

  add(stream: StreamName, bytes: Uint8Array): void {
    if (this.#isFull) return
    this.#put(stream, this.#decoders[stream].decode(bytes, { stream: true }))
  }

  /** The last bytes of characters that never ended. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) if (!this.#isFull) this.#put(stream, this.#decoders[stream].decode())
  }

  /** Bytes of text that wait to be taken. */
  get size(): number {
    return this.#waiting.reduce((sum, part) => sum + part.bytes, 0)
  }

  take(): OutputPart[] {
    const parts = this.#waiting.map(({ stream, text }) => ({ seq: this.#seq++, stream, text }))
    this.#waiting = []
    return parts
  }

  #put(stream: StreamName, text: string): void {
    for (const char of slices(text)) {
      if (this.#taken + char.bytes > TOTAL_BYTES) {
        this.#isFull = true
        this.#append('stderr', NOTE, Buffer.byteLength(NOTE))
        return
      }
      this.#taken += char.bytes
      this.#append(stream, char.text, char.bytes)
    }
  }

  #append(stream: StreamName, text: string, bytes: number): void {
    const last = this.#waiting.at(-1)
    if (last && last.stream === stream && last.bytes + bytes <= PART_BYTES) {
      last.text += text
      last.bytes += bytes
    } else this.#waiting.push({ stream, text, bytes })
  }
}

const NOTE = `\n[the script printed more than ${TOTAL_BYTES / 1024} KiB; the rest was dropped]\n`

const newDecoder = () => new TextDecoder('utf-8', { ignoreBOM: true })

/** Pieces of at most 1 KiB in UTF-8, cut between characters. */
function* slices(text: string): Iterable<{ text: string; bytes: number }> {
  const units = 256 // four bytes each at most
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + units)
    const last = text.charCodeAt(end - 1)
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end-- // a high surrogate waits for its low one
    const piece = text.slice(start, end)
    yield { text: piece, bytes: Buffer.byteLength(piece) }
    start = end
  }
}
