import { createSocket, type Socket } from 'node:dgram'

/** What the line does to datagrams, each from 0 to 1. */
export interface Weather {
  lose?: number
  duplicate?: number
  /** Holds a datagram back behind the next one of its direction. */
  swap?: number
}

export interface Relay {
  port: number
  /** Datagrams seen and lost so far. */
  seen: { passed: number; lost: number; duplicated: number; swapped: number }
  close(): void
}

/**
 * A bad line for TFTP on loopback, for kernels without netem. A client sends its request to `port`; each of them gets a port of its own
 * here, which stands for the server's transfer port. `random` makes the weather repeatable.
 */
export async function lossyRelay(serverPort: number, weather: Weather, random: () => number): Promise<Relay> {
  const seen = { passed: 0, lost: 0, duplicated: 0, swapped: 0 }
  const sockets = new Set<Socket>()
  const make = async () => {
    const socket = createSocket('udp4')
    sockets.add(socket)
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return socket
  }
  /** One direction of one transfer. */
  const line = () => {
    let held: (() => void) | undefined
    return (send: () => void) => {
      if (random() < (weather.lose ?? 0)) return void seen.lost++
      seen.passed++
      if (!held && random() < (weather.swap ?? 0)) {
        seen.swapped++
        held = send
        setTimeout(() => {
          held?.()
          held = undefined
        }, 20)
        return
      }
      send()
      held?.()
      held = undefined
      if (random() >= (weather.duplicate ?? 0)) return
      seen.duplicated++
      send()
    }
  }
  const door = await make()
  const doors = new Map<number, Promise<(request: Buffer) => void>>()
  const open = async (client: number) => {
    const [near, far] = [await make(), await make()]
    const [down, up] = [line(), line()]
    let server = serverPort
    far.on('message', (bytes, from) => {
      server = from.port
      down(() => sockets.has(near) && near.send(bytes, client, '127.0.0.1'))
    })
    const forward = (bytes: Buffer) => up(() => sockets.has(far) && far.send(bytes, server, '127.0.0.1'))
    near.on('message', forward)
    return forward
  }
  door.on('message', async (bytes, from) => {
    const known = doors.get(from.port) ?? open(from.port)
    doors.set(from.port, known)
    const forward = await known
    forward(bytes)
  })
  return {
    port: door.address().port,
    seen,
    close() {
      for (const socket of sockets) socket.close()
      sockets.clear()
    },
  }
}

/** A small repeatable generator (xorshift32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
