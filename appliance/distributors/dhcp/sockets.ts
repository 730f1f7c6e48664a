import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'

export interface Endpoint {
  address: string
  port: number
  receive(bytes: Uint8Array, from: RemoteInfo): void
}

/**
 * UDP sockets kept open: one that cannot be bound (its address is not there yet, the port is taken) is tried again, soon at first,
 * then every 5 s.
 */
export interface Sockets {
  /** Opens what is new under its key, closes what is gone, leaves the rest alone. */
  set(wanted: ReadonlyMap<string, Endpoint>): Promise<void>
  /** False when the socket is not open. */
  send(key: string, bytes: Uint8Array, port: number, address: string): boolean
  /** What is wanted and not open now, as `address:port`. */
  closed(): string[]
  close(): Promise<void>
}

const FIRST_RETRY_MS = 100 // an address that is just being added to its card
const RETRY_MS = 5000
const RECEIVE_BYTES = 4 << 20

/** Literal addresses need no resolver, and no detour by the next tick. */
const literal = (host: string, _options: unknown, callback: (error: null, address: string, family: number) => void) =>
  callback(null, host, 4)

/** `failed` is called when the system refuses a datagram. */
export function createSockets({ clock, log, failed }: { clock: Clock; log: Log; failed: (error: Error) => void }): Sockets {
  const sent = (error: Error | null) => {
    if (error) failed(error)
  }
  const slots = new Map<string, { endpoint: Endpoint; socket: Socket | undefined; cancel: (() => void) | undefined; failures: number }>()

  const open = (key: string): Promise<void> => {
    const slot = slots.get(key)
    if (slot === undefined) return Promise.resolve()
    const { address, port } = slot.endpoint
    const socket = createSocket({ type: 'udp4', reuseAddr: true, lookup: literal })
    return new Promise((resolve) => {
      const retry = (error: Error) => {
        if (slot.socket === socket) slot.socket = undefined
        socket.removeAllListeners('message')
        socket.close()
        if (slots.get(key) === slot) {
          if (slot.failures === 0) log.error('dhcp.bind-failed', { address, port, error })
          slot.cancel = clock.after(Math.min(RETRY_MS, FIRST_RETRY_MS * 2 ** slot.failures++), () => void open(key))
        }
        resolve()
      }
      socket.once('error', retry)
      socket.bind({ address, port }, () => {
        if (slots.get(key) !== slot) {
          socket.close()
          return resolve()
        }
        socket.setBroadcast(true)
        socket.setRecvBufferSize(RECEIVE_BYTES) // the kernel cuts it to net.core.rmem_max
        socket.on('message', slot.endpoint.receive)
        slot.socket = socket
        if (slot.failures > 0) log.info('dhcp.bound', { address, port })
        slot.failures = 0
        resolve()
      })
    })
  }
  const shut = (key: string): Promise<void> => {
    const slot = slots.get(key)
    slots.delete(key)
    slot?.cancel?.()
    const socket = slot?.socket
    return socket === undefined ? Promise.resolve() : new Promise((resolve) => socket.close(() => resolve()))
  }

  return {
    async set(wanted) {
      for (const [key, { endpoint }] of [...slots]) {
        const next = wanted.get(key)
        if (next?.address !== endpoint.address || next.port !== endpoint.port) await shut(key)
      }
      for (const [key, endpoint] of wanted) {
        if (slots.has(key)) continue
        slots.set(key, { endpoint, socket: undefined, cancel: undefined, failures: 0 })
        await open(key)
      }
    },
    send(key, bytes, port, address) {
      const socket = slots.get(key)?.socket
      if (socket === undefined) return false
      socket.send(bytes, port, address, sent)
      return true
    },
    closed: () =>
      [...slots.values()].filter((slot) => slot.socket === undefined).map(({ endpoint }) => `${endpoint.address}:${endpoint.port}`),
    async close() {
      for (const key of [...slots.keys()]) await shut(key)
    },
  }
}
