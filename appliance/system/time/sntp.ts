import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { decodeNtpAnswer, encodeNtpRequest, ntpOffset } from '@bridgehead/shared/wire/ntp.ts'

const ANSWER_MS = 3_000

/**
 * How far the local clock is behind this server's, in milliseconds. One question (RFC 4330 §5), measured against `now`, a clock that
 * nobody sets meanwhile. Rejects when no right answer comes within 3 s.
 */
export async function askTime(server: string, now: () => number, port = 123): Promise<number> {
  const { address, family } = await lookup(server)
  const cookie = randomBytes(8)
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<number>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${server} did not answer`)), ANSWER_MS)
      socket.once('error', reject)
      socket.once('connect', () => {
        const askedAt = now()
        socket.on('message', (bytes) => {
          try {
            resolve(ntpOffset(decodeNtpAnswer(bytes, cookie), askedAt, now()))
          } catch (error) {
            reject(error)
          }
        })
        socket.send(encodeNtpRequest(cookie))
      })
      socket.connect(port, address)
    })
  } finally {
    clearTimeout(timer)
    socket.close()
  }
}
