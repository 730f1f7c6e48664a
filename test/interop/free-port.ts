import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'

const TRIES = 100

/** A TCP port of loopback that is free just now, and that the kernel gives to no connection: it lies below the range of those. */
export async function freePort(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
  const [end = 32_768] = range.split(/\s+/).map(Number)
  for (let left = TRIES; left > 0; left--) {
    const port = 10_000 + Math.floor(Math.random() * Math.max(1, end - 10_000))
    if (await isFree(port)) return port
  }
  throw new Error(`none of ${TRIES} ports below ${end} is free`)
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
