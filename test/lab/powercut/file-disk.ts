import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import type { CutDisk, Region } from './replayed-disk.ts'

const STEP = 1 << 20

/** A file, looked at like a cut's disk; zeros behind its end. */
export function openFile(path: string): CutDisk & { close(): void } {
  const fd = openSync(path, 'r')
  const bytes = fstatSync(fd).size
  const read = (offset: number, length: number) => {
    const into = Buffer.alloc(length)
    readSync(fd, into, 0, length, offset)
    return into
  }
  return {
    bytes,
    read,
    copyTo(file, region: Region = { offset: 0, bytes }) {
      const out = openSync(file, 'w')
      try {
        ftruncateSync(out, region.bytes)
        let written = 0
        for (let at = 0; at < region.bytes; at += STEP) {
          const part = read(region.offset + at, Math.min(STEP, region.bytes - at))
          if (part.some((byte) => byte !== 0)) written += writeSync(out, part, 0, part.length, at)
        }
        return written
      } finally {
        closeSync(out)
      }
    },
    stampOf: (region) => `${path}:${region.offset}:${region.bytes}`,
    close: () => closeSync(fd),
  }
}
