import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { createFrames, frame } from './frames.ts'

export interface TcpLimits {
  connections: number
  perClient: number
  idleMs: number
  /** Queries of one connection that wait for an answer; reading pauses there. */
  pipelined: number
}
export const TCP_LIMITS: TcpLimits = { connections: 128, perClient: 16, idleMs: 10_000, pipelined: 32 }

const MAX_UNREAD = 1 << 18

/** Opens a TCP listener. `onQuery` calls `send` at most once, and is false for what is no query. A connection carries any number of queries; answers go out as they come (RFC 7766 §6.2.1.1). */
export function openTcp({
  address,
  port,
  clock,
  limits = TCP_LIMITS,
  mayAsk,
  onQuery,
  onOpen,
  onRefused,
  onError,
}: {
  address: string
  port: number
  clock: Clock
  limits?: TcpLimits
  mayAsk: (client: string) => boolean
  onQuery: (bytes: Buffer, send: (reply: Buffer) => void) => boolean
  onOpen: () => void
  onRefused: () => void
  onError: (error: Error) => void
}): Promise<{ server: Server; open(): number; close(): Promise<void> }> {
  const open = new Map<Socket, string>()

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const client = socket.remoteAddress ?? ''
    const same = [...open.values()].filter((one) => one === client).length
    socket.on('error', () => socket.destroy()) // resets are the other end's business
    if (!mayAsk(client) || open.size >= limits.connections || same >= limits.perClient) {
      onRefused()
      socket.destroy()
      return
    }
    onOpen()
    open.set(socket, client)
    serve(socket)
  })

  function serve(socket: Socket): void {
    const frames = createFrames()
    let waiting: Buffer[] = []
    let unanswered = 0
    let ended = false
    let cancelIdle = () => {}
    // time since the last whole query, not the last byte: dripping bytes keeps nobody connected
    const touch = () => {
      cancelIdle()
      cancelIdle = clock.after(limits.idleMs, () => socket.destroy())
    }
    let pumping = false
    const pump = () => {
      if (pumping) return // an answer that came at once: the loop below goes on
      pumping = true
      while (unanswered < limits.pipelined && !socket.destroyed) {
        const next = waiting.shift()
        if (!next) break
        unanswered++
        touch()
        const read = onQuery(next, (reply) => {
          unanswered--
          if (!socket.destroyed) socket.write(frame(reply))
          if (socket.writableLength > MAX_UNREAD) socket.destroy() // asks, but does not read
          pump()
        })
        if (!read) socket.destroy() // its sender speaks no DNS
      }
      pumping = false
      if (waiting.length > 0) socket.pause()
      else if (ended && unanswered === 0) socket.end()
      else if (socket.isPaused()) socket.resume()
    }
    touch()
    socket.on('data', (chunk: Buffer) => {
      waiting = waiting.concat(frames.add(chunk))
      pump()
    })
    socket.on('end', () => {
      ended = true
      pump()
    })
    socket.on('close', () => {
      cancelIdle()
      open.delete(socket)
    })
  }

  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject)
      server.on('error', onError)
      resolve({
        server,
        open: () => open.size,
        close: () =>
          new Promise((done) => {
            for (const socket of open.keys()) socket.destroy()
            server.close(() => done())
          }),
      })
    })
  })
}
