import { createServer, connect as dial, type Socket } from 'node:net'

/** A TCP relay to `port` on loopback; connections that exist when `freeze` is called stay open and carry nothing any more. */
export async function silentLine(to: number): Promise<{ port: number; freeze(): void; accepted(): number; close(): void }> {
  const pairs: Socket[] = []
  let accepted = 0
  const server = createServer((client) => {
    accepted++
    const upstream = dial(to, '127.0.0.1')
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy())
    pairs.push(client, upstream)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    freeze() {
      for (const socket of pairs) socket.unpipe().pause()
    },
    accepted: () => accepted,
    close() {
      for (const socket of pairs) socket.destroy()
      server.close()
    },
  }
}
