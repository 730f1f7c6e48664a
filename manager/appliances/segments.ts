import type { Readable } from 'node:stream'

/** A piece of a download: part of an object in the bucket, bytes at hand, or so many zeros. */
export type Segment =
  | { kind: 'object'; sha256: string; start: number; bytes: number }
  | { kind: 'memory'; data: Uint8Array }
  | { kind: 'zeros'; bytes: number }

export function bytesOf(segment: Segment): number {
  return segment.kind === 'memory' ? segment.data.length : segment.bytes
}

export function totalOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + bytesOf(segment), 0)
}

/** Bytes `start` to `end`, both inclusive and counted from 0. Pure; empty pieces fall away. */
export function sliceSegments(segments: readonly Segment[], start: number, end: number): Segment[] {
  const found: Segment[] = []
  let at = 0
  for (const segment of segments) {
    const from = Math.max(start - at, 0)
    const to = Math.min(end + 1 - at, bytesOf(segment)) // exclusive
    at += bytesOf(segment)
    if (from >= to) continue
    if (segment.kind === 'memory') found.push({ kind: 'memory', data: segment.data.subarray(from, to) })
    else if (segment.kind === 'zeros') found.push({ kind: 'zeros', bytes: to - from })
    else found.push({ ...segment, start: segment.start + from, bytes: to - from })
  }
  return found
}

const ZEROS = new Uint8Array(256 * 1024)

/** The pieces one after the other, a chunk at a time: whoever stops reading closes what is open. */
export async function* chunksOf(
  segments: readonly Segment[],
  read: (sha256: string, range: { start: number; end: number }) => Promise<Readable>,
): AsyncGenerator<Uint8Array> {
  for (const segment of segments) {
    if (segment.kind === 'memory') yield segment.data
    else if (segment.kind === 'zeros')
      for (let left = segment.bytes; left > 0; left -= ZEROS.length) yield left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS
    else if (segment.bytes > 0) yield* await read(segment.sha256, { start: segment.start, end: segment.start + segment.bytes - 1 })
  }
}
