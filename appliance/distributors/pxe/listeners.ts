import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'

/** One open listening socket. */
export interface Listener {
  port: number
  close(): Promise<void>
}

export interface ListenersDeps {
  /** First word of the log events: `{name}.listening`, `{name}.listen_failed`. */
  name: string
  port: number
  clock: Clock
  log: Log
  /** Opens a socket on `address`; `onLost` is called when it breaks later. Rejects with the system's error. */
  open(address: Ipv4, onLost: (error: unknown) => void): Promise<Listener>
}

/** LAN addresses may come up after the daemon, and a port may be taken for a while. */
const RETRY_MS = 2000

/** Keeps exactly one listening socket on each wanted address; level-triggered, one change at a time. */
export function createListeners({ name, port, clock, log, open }: ListenersDeps) {
  const sockets = new Map<Ipv4, Listener>()
  const told = new Map<Ipv4, string>() // what failed last, so that each trouble is logged once
  let wanted: readonly Ipv4[] = []
  let started = false
  let working: Promise<void> = Promise.resolve()
  let cancelRetry: (() => void) | undefined

  const lost = (address: Ipv4, error: unknown) => {
    log.warn(`${name}.socket_lost`, { address, port, error })
    void close(address).then(settle)
  }
  const close = async (address: Ipv4) => {
    const socket = sockets.get(address)
    sockets.delete(address)
    await socket?.close()
  }
  const openOne = async (address: Ipv4) => {
    try {
      const socket = await open(address, (error) => lost(address, error))
      sockets.set(address, socket)
      told.delete(address)
      log.info(`${name}.listening`, { address, port: socket.port })
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      if (told.get(address) !== why) log.warn(`${name}.listen_failed`, { address, port, why, retryMs: RETRY_MS })
      told.set(address, why)
    }
  }
  const reconcile = async () => {
    const goal = started ? wanted : []
    for (const address of [...sockets.keys()]) if (!goal.includes(address)) await close(address)
    for (const address of goal) if (!sockets.has(address)) await openOne(address)
    cancelRetry?.()
    cancelRetry = started && wanted.some((address) => !sockets.has(address)) ? clock.after(RETRY_MS, () => void settle()) : undefined
  }
  const settle = () => {
    working = working.then(reconcile)
    return working
  }
  return {
    apply(addresses: readonly Ipv4[]) {
      wanted = [...new Set(addresses)]
      void settle()
    },
    bound: () => [...sockets].map(([address, socket]) => ({ address, port: socket.port })),
    async start() {
      started = true
      await settle() // resolves also when an address is not there yet: that is the LAN's trouble, not the daemon's
    },
    async stop() {
      started = false
      await settle()
      cancelRetry?.()
    },
  }
}
