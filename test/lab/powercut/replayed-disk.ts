import { closeSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import type { Cut } from './cuts.ts'
import type { WriteLog } from './write-log.ts'

/** A piece of a disk, in bytes. */
export interface Region {
  offset: number
  bytes: number
}

/** A disk as a cut left it. Valid until the next cut is taken. */
export interface CutDisk {
  readonly bytes: number
  read(offset: number, length: number): Buffer
  /** Writes a region (by default all) to `file`, with holes where it is zero. Returns how many bytes were not. */
  copyTo(file: string, region?: Region): number
  /** Equal for two cuts only if nothing was written to `region` between them. */
  stampOf(region: Region): string
}

/** An image and what a machine wrote on it, taken forward through the log. */
export interface ReplayedDisk {
  /** The disk after this cut. Cuts come in the order of the log: what was durable at one is not taken back. */
  cut(cut: Cut): CutDisk
  close(): void
}

const CHUNK_BYTES = 65_536
const ZERO = Buffer.alloc(CHUNK_BYTES)

/** `bytes`: the size of the disk that `image` was written on. Only what differs from the image lies in memory. */
export function replay({ image, bytes, log }: { image: string; bytes: number; log: WriteLog }): ReplayedDisk {
  const fd = openSync(image, 'r')
  const imageBytes = statSync(image).size
  const chunks = new Map<number, Buffer>()
  /** Index of the last durable entry by chunk. */
  const stamps = new Map<number, number>()
  let done = 0

  const durable = (number: number): Buffer => {
    const known = chunks.get(number)
    if (known) return known
    if (number * CHUNK_BYTES >= imageBytes) return ZERO
    const read = Buffer.alloc(CHUNK_BYTES)
    readSync(fd, read, 0, CHUNK_BYTES, number * CHUNK_BYTES)
    if (!read.equals(ZERO)) return read
    chunks.set(number, ZERO) // not asked for again
    return ZERO
  }
  /** A chunk of `layer` that may be written to. */
  const own = (layer: Map<number, Buffer>, number: number, below: (number: number) => Buffer): Buffer => {
    const known = layer.get(number)
    if (known && known !== ZERO) return known
    const copy = Buffer.from(below(number))
    layer.set(number, copy)
    return copy
  }
  const write = (layer: Map<number, Buffer>, below: (number: number) => Buffer, offset: number, data: Buffer) => {
    for (let from = 0; from < data.length; ) {
      const number = Math.floor((offset + from) / CHUNK_BYTES)
      const start = (offset + from) % CHUNK_BYTES
      const length = Math.min(CHUNK_BYTES - start, data.length - from)
      data.copy(own(layer, number, below), start, from, from + length)
      from += length
    }
  }
  const chunksOf = ({ offset, bytes }: Region) => {
    const first = Math.floor(offset / CHUNK_BYTES)
    return { first, last: Math.ceil((offset + bytes) / CHUNK_BYTES) - 1 }
  }

  const advance = (upTo: number) => {
    if (upTo < done) throw new RangeError(`entry ${done} is durable already; the cut is at ${upTo}`)
    for (; done < upTo; done++) {
      const entry = log.entries[done]
      if (entry?.kind !== 'write') continue
      write(chunks, durable, entry.offset, log.data(done))
      const { first, last } = chunksOf(entry)
      for (let number = first; number <= last; number++) stamps.set(number, done)
    }
  }

  return {
    cut(cut) {
      advance(cut.durable)
      const layer = new Map<number, Buffer>()
      const touched: { region: Region; name: string }[] = []
      for (const index of cut.kept) {
        const entry = log.entries[index]
        if (entry?.kind !== 'write') continue
        const whole = log.data(index)
        const data = cut.tornBytes !== undefined && index === cut.kept.at(-1) ? whole.subarray(0, cut.tornBytes) : whole
        write(layer, durable, entry.offset, data)
        touched.push({ region: { offset: entry.offset, bytes: data.length }, name: `${index}:${data.length}` })
      }
      return cutDisk({ bytes, layer, durable, chunksOf, stamps, touched })
    },
    close: () => closeSync(fd),
  }
}

interface Parts {
  bytes: number
  layer: ReadonlyMap<number, Buffer>
  durable: (number: number) => Buffer
  chunksOf: (region: Region) => { first: number; last: number }
  stamps: ReadonlyMap<number, number>
  touched: readonly { region: Region; name: string }[]
}

function cutDisk({ bytes, layer, durable, chunksOf, stamps, touched }: Parts): CutDisk {
  const chunk = (number: number) => layer.get(number) ?? durable(number)
  /** Calls `take` with each chunk's part of `region`. */
  const walk = (region: Region, take: (part: Buffer, at: number) => void) => {
    const { first, last } = chunksOf(region)
    const end = region.offset + region.bytes
    for (let number = first; number <= last; number++) {
      const from = Math.max(region.offset, number * CHUNK_BYTES)
      const to = Math.min(end, (number + 1) * CHUNK_BYTES)
      const whole = chunk(number)
      if (whole !== ZERO) take(whole.subarray(from - number * CHUNK_BYTES, to - number * CHUNK_BYTES), from - region.offset)
    }
  }
  return {
    bytes,
    read(offset, length) {
      const into = Buffer.alloc(length)
      walk({ offset, bytes: length }, (part, at) => void part.copy(into, at))
      return into
    },
    copyTo(file, region = { offset: 0, bytes }) {
      const fd = openSync(file, 'w')
      try {
        ftruncateSync(fd, region.bytes)
        let written = 0
        walk(region, (part, at) => {
          if (part.length === CHUNK_BYTES && part.equals(ZERO)) return
          written += writeSync(fd, part, 0, part.length, at)
        })
        return written
      } finally {
        closeSync(fd)
      }
    },
    stampOf(region) {
      const { first, last } = chunksOf(region)
      let newest = -1
      for (let number = first; number <= last; number++) newest = Math.max(newest, stamps.get(number) ?? -1)
      const end = region.offset + region.bytes
      const here = touched.filter(({ region: one }) => one.offset < end && one.offset + one.bytes > region.offset)
      return [newest, ...here.map(({ name }) => name)].join()
    },
  }
}
