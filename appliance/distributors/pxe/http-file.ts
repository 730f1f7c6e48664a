import { close, open, read } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'

/**
 * Up to four buffers of this size per transfer go round: one is read into while others wait in the socket. Reused, because
 * `fs.createReadStream` makes a new one for each piece, which costs twice the processor time (measured, see README).
 */
const BUFFER_BYTES = 131_072
const BUFFERS = 4

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
    const next = () => {
      if (reading || over || asked === length) return
      const target = buffer()
      if (!target) return
      reading = true
      read(fd, target, 0, Math.min(target.length, length - asked), start + asked, (cause, count) => {
        reading = false
        if (over) return settle()
        if (cause) return end(new FileReadError(`reading failed at byte ${start + asked}`, { cause }))
        if (count === 0) return end(new FileReadError(`the file ends at byte ${start + asked}, ${length - asked} bytes early`))
        asked += count
        put(target, count)
        next()
      })
    }
    const put = (full: Buffer, count: number) =>
      response.write(full.subarray(0, count), (error) => {
        if (error || over) return gone()
        sent += count
        free.push(full)
        moved(sent)
        if (sent === length) end()
        else next()
      })

    response.once('close', gone)
    if (length === 0 || response.destroyed) end()
    else next()
  })
}
