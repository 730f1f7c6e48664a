import { createSocket } from 'node:dgram'
import { createConnection, isIP, isIPv6 } from 'node:net'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { isReplyTo, setU16 } from '@bridgehead/shared/wire/dns.ts'
import { createFrames, frame } from './frames.ts'

/** A name server to ask. */
export interface Server {
  ip: string
  port: number
}

/** `ip`, `ip#port` (as dnsmasq writes it) or `[ip]:port`, `ipv4:port`; undefined for anything else. */
export function parseServer(text: string): Server | undefined {
  const [, bracketed, bracketPort] = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? []
  const [, plain, hashPort] = /^([^#]+)(?:#(\d{1,5}))?$/.exec(text) ?? []
  const [, four, colonPort] = /^([\d.]+):(\d{1,5})$/.exec(text) ?? []
  const ip = bracketed ?? four ?? plain ?? ''
  const port = Number(bracketPort ?? colonPort ?? hashPort ?? 53)
  return isIP(ip) && port >= 1 && port <= 65_535 ? { ip, port } : undefined
}

export class UpstreamError extends Error {
  readonly code = 'dns_upstream'
}

export interface Upstream {
  /** Sends `query` under a random id, from a random port; resolves with the first message that answers it. Rejects with UpstreamError. */
  ask(server: Server, query: Buffer, options: { tcp: boolean; timeoutMs: number }): Promise<Buffer>
}

/** `random16` gives an id. `spoofed` is told of each message that did not fit its query. */
export function createUpstream({ clock, random16, spoofed }: { clock: Clock; random16: () => number; spoofed: () => void }): Upstream {
  return {
    ask(server, template, { tcp, timeoutMs }) {
      const query = Buffer.from(template)
      setU16(query, 0, random16())
      return (tcp ? askTcp : askUdp)(server, query, clock, timeoutMs, spoofed)
    },
  }
}

/** A fresh socket per query: the kernel picks a random port, and `connect` lets only the asked server answer (RFC 5452 §9). */
function askUdp(server: Server, query: Buffer, clock: Clock, timeoutMs: number, spoofed: () => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.ip) ? 'udp6' : 'udp4')
    const settle = (error: string | undefined, message?: Buffer) => {
      cancel()
      socket.removeAllListeners('message')
      socket.removeAllListeners('error')
      socket.on('error', () => undefined) // a late ICMP message concerns nobody
      socket.close()
      if (message) resolve(message)
      else reject(new UpstreamError(error))
    }
    const cancel = clock.after(timeoutMs, () => settle(`${server.ip} did not answer within ${timeoutMs} ms`))
    socket.on('error', (error) => settle(`${server.ip}: ${error.message}`))
    socket.on('message', (message) => (fits(query, message) ? settle(undefined, message) : spoofed()))
    socket.connect(server.port, server.ip, () => socket.send(query))
  })
}

function askTcp(server: Server, query: Buffer, clock: Clock, timeoutMs: number, spoofed: () => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: server.ip, port: server.port })
    const settle = (error: string | undefined, message?: Buffer) => {
      cancel()
      socket.destroy()
      if (message) resolve(message)
      else reject(new UpstreamError(error))
    }
    const cancel = clock.after(timeoutMs, () => settle(`${server.ip} did not answer over TCP within ${timeoutMs} ms`))
    const frames = createFrames()
    socket.on('error', (error) => settle(`${server.ip}: ${error.message}`))
    socket.on('close', () => settle(`${server.ip} closed the connection without an answer`))
    socket.on('data', (chunk: Buffer) => {
      for (const message of frames.add(chunk)) {
        if (fits(query, message)) return settle(undefined, message)
        spoofed()
      }
    })
    socket.end(frame(query))
  })
}

function fits(query: Buffer, message: Buffer): boolean {
  try {
    return isReplyTo(query, message)
  } catch {
    return false // our own query parses; the other end's cannot make this throw, but a listener must never
  }
}
