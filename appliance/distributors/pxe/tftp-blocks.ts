import { writeDataHead } from '@bridgehead/shared/wire/tftp.ts'
import type { TftpFile } from './tftp-files.ts'

/** How much of a file is read at once, about: large enough to hide the disk, small enough for hundreds of transfers in memory. */
const CHUNK_BYTES = 65_536

/** Ready-made DATA packets of one file. */
export interface Blocks {
  /** The packet of a block (counted from 1), or undefined while it is not in memory: then `load` it. */
  packet(block: number): Uint8Array | undefined
  /** Brings the chunk that holds `block` into memory. Rejects when the file cannot be read, or is shorter than it said. */
  load(block: number): Promise<void>
  /** Reads ahead behind `block`, and forgets chunks that lie wholly before `keepFrom`. Never rejects: a failure comes back from `load`. */
  advance(block: number, keepFrom: number): void
}

/**
 * Lays blocks out as they go on the wire (four bytes of header, then data), a chunk at a time: one copy from the file's bytes, none
 * for a packet, and retransmissions cost nothing.
 */
export function createBlocks(file: TftpFile, blockBytes: number): Blocks {
  const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / blockBytes))
  const chunks = new Map<number, Uint8Array[]>()
  const loading = new Map<number, Promise<void>>()
  const lastBlock = Math.floor(file.size / blockBytes) + 1
  const chunkOf = (block: number) => Math.floor((block - 1) / perChunk)

  const read = async (chunk: number) => {
    const first = chunk * perChunk + 1
    const offset = (first - 1) * blockBytes
    const wanted = Math.min(perChunk * blockBytes, file.size - offset)
    const bytes = wanted > 0 ? await file.read(offset, wanted) : new Uint8Array(0)
    if (bytes.length < wanted) throw new Error(`the file ends at byte ${offset + bytes.length} of ${file.size}`)
    chunks.set(chunk, layOut(bytes, first, Math.min(perChunk, lastBlock - first + 1), blockBytes))
  }
  const load = (chunk: number) => {
    if (chunks.has(chunk)) return Promise.resolve()
    const already = loading.get(chunk)
    if (already) return already
    const started = read(chunk).finally(() => loading.delete(chunk))
    loading.set(chunk, started)
    return started
  }
  return {
    packet: (block) => chunks.get(chunkOf(block))?.[(block - 1) % perChunk],
    load: (block) => load(chunkOf(block)),
    advance(block, keepFrom) {
      const next = chunkOf(block) + 1
      if (next <= chunkOf(lastBlock) && !chunks.has(next)) load(next).catch(() => undefined) // asked for again, and told, when it is needed
      for (const chunk of chunks.keys()) if (chunk < chunkOf(keepFrom)) chunks.delete(chunk)
    },
  }
}

function layOut(bytes: Uint8Array, first: number, count: number, blockBytes: number): Uint8Array[] {
  const packets: Uint8Array[] = []
  const whole = new Uint8Array(bytes.length + 4 * count)
  for (let index = 0, at = 0; index < count; index++) {
    const part = bytes.subarray(index * blockBytes, (index + 1) * blockBytes)
    writeDataHead(whole, at, first + index)
    whole.set(part, at + 4)
    packets.push(whole.subarray(at, at + 4 + part.length))
    at += 4 + part.length
  }
  return packets
}
