import type { Readable } from 'node:stream'
import { addAbortSignal, pipeline } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGzip, createZstdCompress, gzip, zstdCompress } from 'node:zlib'
import { execa } from 'execa'

/** What a download may be: the disk as it is, or compressed. */
export const FORMATS = ['img', 'img.zst', 'img.gz', 'img.xz'] as const
export type Format = (typeof FORMATS)[number]
export const COMPRESSED = ['img.zst', 'img.gz', 'img.xz'] as const satisfies readonly Format[]
export type Compressed = (typeof COMPRESSED)[number]

export const CONTENT_TYPES: Record<Format, string> = {
  img: 'application/octet-stream',
  'img.zst': 'application/zstd',
  'img.gz': 'application/gzip',
  'img.xz': 'application/x-xz',
}

/** What is in an image is compressed already (its slot is a squashfs): quick settings pack the zeros between, and hard ones gain nothing. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } }
const GZIP = { level: 6 }
const XZ = ['--format=xz', '--check=crc64', '-0', '--threads=1', '--stdout', '--quiet']

/**
 * Each is one whole frame of its kind. Frames that follow each other are one file: zstd (RFC 8878 §3), gzip (RFC 1952 §2.2) and xz (the
 * .xz file format 1.2, §2: concatenated streams, each a multiple of four bytes).
 */
export async function compressBlock(format: Compressed, block: Uint8Array): Promise<Uint8Array> {
  switch (format) {
    case 'img.zst':
      return promisify(zstdCompress)(block, ZSTD)
    case 'img.gz':
      return promisify(gzip)(block, GZIP)
    case 'img.xz':
      return (await execa('xz', XZ, { input: block, encoding: 'buffer', env: {}, extendEnv: true })).stdout
  }
}

/** The same for what does not fit into memory. An error in `source`, or an abort, ends the stream with it. */
export function compressStream(format: Compressed, source: Readable, signal: AbortSignal): AsyncIterable<Uint8Array> {
  if (format === 'img.xz') return throughXz(source, signal)
  const into = format === 'img.zst' ? createZstdCompress(ZSTD) : createGzip(GZIP)
  pipeline(addAbortSignal(signal, source), into, () => undefined) // an error reaches the reader of `into`
  return into
}

async function* throughXz(source: Readable, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const child = execa('xz', XZ, { input: source, encoding: 'buffer', buffer: false, cancelSignal: signal })
  yield* child.iterable({ from: 'stdout', binary: true, preserveNewlines: true }) // throws when xz, or its input, fails
}
