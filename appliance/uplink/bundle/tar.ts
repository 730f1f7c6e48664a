import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract, type Header } from 'tar-stream'
import { BundleError } from './check.ts'

/**
 * Reads the files of a tar in the one order that the reader expects. Names serve for nothing but comparison: no path is ever made of one,
 * and a link, a folder, a second copy or a file too many ends the reading with a BundleError.
 */
export interface TarReader {
  /** The next file, which must be `name`; `what` is its name for people. `bytes`: the exact size, or the most there may be. */
  next(name: string, what: string, bytes: { exactly: number } | { most: number }): Promise<AsyncIterable<Uint8Array>>
  /** Throws unless nothing follows. */
  end(): Promise<void>
  /** Stops reading. Twice is harmless. */
  close(): void
}

type Entry = AsyncIterable<unknown> & { header: Header }

export function readTar(file: Readable): TarReader {
  const tar = extract()
  pipeline(file, tar).catch(() => undefined) // told by the entries
  const entries = tar[Symbol.asyncIterator]()
  const following = async (what: string): Promise<Entry | undefined> => {
    const { value, done } = await entries.next().catch((cause: unknown) => broken(what, cause))
    return done ? undefined : value
  }
  return {
    async next(name, what, bytes) {
      const entry = await following(what)
      if (!entry) throw new BundleError(`the file ends before ${what}; it was not copied whole`)
      const { header } = entry
      if (header.name !== name || header.type !== 'file')
        throw new BundleError(
          `expected ${what} ("${name}") as the next file, found ${header.type === 'file' ? '' : `a ${header.type ?? 'thing of unknown type'} named `}"${printable(header.name)}"`,
        )
      const { size } = header
      if ('exactly' in bytes && size !== bytes.exactly)
        throw new BundleError(`${what} has ${size} bytes in the file, but ${bytes.exactly} were promised`)
      if ('most' in bytes && size > bytes.most) throw new BundleError(`${what} has ${size} bytes; at most ${bytes.most} are read`)
      return chunks(entry, what)
    },
    async end() {
      const entry = await following('the end')
      if (entry) throw new BundleError(`the file has more in it than the bundle promises: "${printable(entry.header.name)}"`)
    },
    close() {
      file.destroy()
      tar.destroy()
    },
  }
}

async function* chunks(entry: Entry, what: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of entry) if (chunk instanceof Uint8Array) yield chunk
  } catch (error) {
    broken(what, error)
  }
}

function broken(what: string, cause: unknown): never {
  const said = cause instanceof Error ? cause.message : String(cause)
  if (said === 'Unexpected end of data') throw new BundleError(`the file ends within or before ${what}; it was not copied whole`, { cause })
  throw new BundleError(`the file cannot be read at ${what}: ${said}`, { cause })
}

/** Names in a hostile file may hold anything, for example what a terminal obeys. */
function printable(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 120)
}
