import { readFileSync } from 'node:fs'

export interface Datagram {
  /** Seconds since the capture's first frame. */
  at: number
  from: string
  to: string
  fromPort: number
  toPort: number
  payload: Uint8Array
}

/** UDP over IPv4 in a little-endian pcap file of Ethernet frames, as tcpdump writes it. Other frames are passed over. */
export function readUdp(path: string | URL): Datagram[] {
  const file = readFileSync(path)
  if (file.readUInt32LE(0) !== 0xa1b2c3d4 || file.readUInt32LE(20) !== 1)
    throw new Error(`${path}: expected a little-endian pcap of Ethernet`)
  const found: Datagram[] = []
  let first: number | undefined
  for (let at = 24; at + 16 <= file.length; ) {
    const time = file.readUInt32LE(at) + file.readUInt32LE(at + 4) / 1e6
    const length = file.readUInt32LE(at + 8)
    const frame = file.subarray(at + 16, at + 16 + length)
    at += 16 + length
    first ??= time
    if (frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 17) continue
    const udp = 14 + ((frame[14] ?? 0) & 15) * 4
    found.push({
      at: time - first,
      from: frame.subarray(26, 30).join('.'),
      to: frame.subarray(30, 34).join('.'),
      fromPort: frame.readUInt16BE(udp),
      toPort: frame.readUInt16BE(udp + 2),
      payload: new Uint8Array(frame.subarray(udp + 8, udp + frame.readUInt16BE(udp + 4))),
    })
  }
  return found
}
