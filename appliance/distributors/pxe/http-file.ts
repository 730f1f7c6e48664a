import { close, open, read, readSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'

/**
 * Up to four buffers of this size per transfer go round: one is read into while others wait in the socket. Reused, because
 * `fs.createReadStream` makes a new one for each piece, which costs twice the processor time (measured, see README).
 */
const BUFFER_BYTES = 131_072
const BUFFERS = 4

/**
 * What the kernel has in memory is read in microseconds; handing that to another thread costs more than it does. So pieces are read on
 * the spot, until one takes longer than `SLOW_MS`: then the disk is meant, and the next ones are left to the thread pool.
 */
const SLOW_MS = 1
const POOLED_PIECES = 64

/** The file is shorter than its record says, or unreadable. */
export class FileReadError extends Error {
  readonly code = 'file_read'
}

const openFile = promisify(open)

/** Throws what `open` throws (ENOENT, EACCES). */
export const openForSending = (path: string): Promise<number> => openFile(path, 'r')

/**
 * Sends `length` bytes of the open file from `start` as the body of `response`, and closes the file. Resolves with the bytes that the
 * kernel took, also when the client left early. Calls `moved` after each piece. Rejects with FileReadError when the file fails.
 */
export function sendFile(
  fd: number,
  { start, length }: { start: number; length: number },
  response: ServerResponse,
  moved: (bytes: number) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const free: Buffer[] = []
    let made = 0
    let asked = 0 // bytes read, or being read
    let sent = 0
    let reading = false
    let pooled = 1 // the first piece may have to come from the disk
    let failed: unknown
    let over = false

    /** The file is closed only when no read is under way: its number may belong to another file right after. */
    const settle = () => {
      if (reading || !over) return
      close(fd, (error) => ((failed ?? error) ? reject(failed ?? error) : resolve(sent)))
    }
    const end = (error?: unknown) => {
      if (over) return
      over = true
      failed = error
      response.off('close', gone)
      settle()
    }
    const gone = () => end()
    const buffer = () => free.pop() ?? (made++ < BUFFERS ? Buffer.allocUnsafeSlow(Math.min(BUFFER_BYTES, length)) : undefined)
    const took = (target: Buffer, count: number) => {
      if (count === 0) return end(new FileReadError(`the file ends at byte ${start + asked}, ${length - asked} bytes early`))
      asked += count
      put(target, count)
    }
    const next = () => {
      while (!reading && !over && asked < length) {
        const target = buffer()
        if (!target) return
        const size = Math.min(target.length, length - asked)
        if (pooled > 0) readPooled(target, size)
        else readHere(target, size)
      }
    }
    const readPooled = (target: Buffer, size: number) => {
      pooled--
      reading = true
      read(fd, target, 0, size, start + asked, (cause, count) => {
        reading = false
        if (over) return settle()
        if (cause) return end(new FileReadError(`reading failed at byte ${start + asked}`, { cause }))
        took(target, count)
        next()
      })
    }
    const readHere = (target: Buffer, size: number) => {
      const began = performance.now()
      let count = 0
      try {
        count = readSync(fd, target, 0, size, start + asked)
      } catch (cause) {
        return end(new FileReadError(`reading failed at byte ${start + asked}`, { cause }))
      }
      if (performance.now() - began > SLOW_MS) pooled = POOLED_PIECES
      took(target, count)
    }
    const put = (full: Buffer, count: number) =>
      response.write(full.subarray(0, count), (error) => {
        if (error || over) return gone()
        sent += count
        free.push(full)
        moved(sent)
        if (sent === length) end()
        else setImmediate(next) // not at once: a fast client would keep everyone else out of the event loop
      })

    response.once('close', gone)
    if (length === 0 || response.destroyed) end()
    else next()
  })
}
