import { createSocket, type Socket } from 'node:dgram'

/** Bytes that wait in the kernel while this process is busy: some thousand queries. */
const RECEIVE_BYTES = 1 << 20

/** Opens a UDP socket; `onQuery` gets each datagram and a way to answer it. Rejects when the address cannot be bound. */
export function openUdp({
  address,
  port,
  onQuery,
  onError,
}: {
  address: string
  port: number
  onQuery: (bytes: Buffer, client: string, send: (reply: Buffer) => void) => void
  onError: (error: Error) => void
}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // addresses are numbers already; dgram would ask its resolver, a tick later, for each answer
    const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BYTES, lookup: (host, _options, done) => done(null, host, 4) })
    socket.once('error', reject)
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject)
      socket.on('error', onError)
      resolve(socket)
    })
    socket.on('message', (bytes, client) => {
      onQuery(bytes, client.address, (reply) => {
        try {
          // without a callback: it would cost 7 % of the speed, and a client asks again when the kernel did not take its answer
          socket.send(reply, client.port, client.address)
        } catch (error) {
          onError(error instanceof Error ? error : new Error(String(error))) // closed meanwhile; port 0 from a forged packet
        }
      })
    })
  })
}
