import { WireError } from './errors.ts'

//  RRQ/WRQ  opcode 1|2 | file | 0 | mode | 0 | { option | 0 | value | 0 } ...   (RFC 1350 §5, RFC 2347)
//  DATA     opcode 3   | block (16 bit) | 0 to blksize bytes
//  ACK      opcode 4   | block (16 bit)
//  ERROR    opcode 5   | code (16 bit) | message | 0
//  OACK     opcode 6   | { option | 0 | value | 0 } ...                         (RFC 2347)

/** One TFTP packet. Option names are in lower case (RFC 2347: case-insensitive); of a repeated option the first counts. */
export type TftpPacket =
  | { kind: 'read' | 'write'; file: string; mode: string; options: TftpOptions }
  | { kind: 'data'; block: number; bytes: Uint8Array }
  | { kind: 'ack'; block: number }
  | { kind: 'error'; code: number; message: string }
  | { kind: 'oack'; options: TftpOptions }

/** Names to values, as text, in the order of the packet. */
export type TftpOptions = ReadonlyMap<string, string>

/** RFC 1350 appendix I, and 8 from RFC 2347. */
export const TFTP_ERROR = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  diskFull: 3,
  illegal: 4,
  unknownTid: 5,
  exists: 6,
  noSuchUser: 7,
  option: 8,
} as const

const OPCODE = { read: 1, write: 2, data: 3, ack: 4, error: 5, oack: 6 } as const
const decoder = new TextDecoder()
const encoder = new TextEncoder()

/**
 * Throws WireError on an unknown opcode, a truncated packet, an empty file name, or an option without value. Bytes after an ACK, and
 * after an ERROR's message, are let pass: old firmware pads. `data` keeps a view of `packet`, no copy.
 */
export function decodeTftp(packet: Uint8Array): TftpPacket {
  const opcode = u16(packet, 0, 'opcode')
  switch (opcode) {
    case OPCODE.read:
    case OPCODE.write: {
      const [file, afterFile] = text(packet, 2, 'file name')
      if (file === '') throw new WireError('the file name is empty', 2)
      const [mode, afterMode] = text(packet, afterFile, 'mode')
      return { kind: opcode === OPCODE.read ? 'read' : 'write', file, mode: mode.toLowerCase(), options: decodeOptions(packet, afterMode) }
    }
    case OPCODE.data:
      return { kind: 'data', block: u16(packet, 2, 'block number'), bytes: packet.subarray(4) }
    case OPCODE.ack:
      return { kind: 'ack', block: u16(packet, 2, 'block number') }
    case OPCODE.error: {
      const code = u16(packet, 2, 'error code')
      // iPXE and some ROMs leave the message's end away; the code is what counts
      const end = packet.indexOf(0, 4)
      return { kind: 'error', code, message: decoder.decode(packet.subarray(4, end < 0 ? packet.length : end)) }
    }
    case OPCODE.oack:
      return { kind: 'oack', options: decodeOptions(packet, 2) }
    default:
      throw new WireError(`unknown opcode ${opcode}`, 0)
  }
}

/** Throws RangeError when a text holds a NUL, which would end it early on the wire. */
export function encodeTftp(packet: TftpPacket): Uint8Array {
  switch (packet.kind) {
    case 'read':
    case 'write':
      return join(head(OPCODE[packet.kind]), terminated(packet.file), terminated(packet.mode), ...encodeOptions(packet.options))
    case 'data':
      return join(head(OPCODE.data, packet.block), packet.bytes)
    case 'ack':
      return head(OPCODE.ack, packet.block)
    case 'error':
      return join(head(OPCODE.error, packet.code), terminated(packet.message))
    case 'oack':
      return join(head(OPCODE.oack), ...encodeOptions(packet.options))
  }
}

/** Writes the four bytes before a block's data into `target` at `offset`; for senders that lay out many blocks at once. */
export function writeDataHead(target: Uint8Array, offset: number, block: number): void {
  target[offset] = 0
  target[offset + 1] = OPCODE.data
  target[offset + 2] = (block >>> 8) & 0xff
  target[offset + 3] = block & 0xff
}

function decodeOptions(packet: Uint8Array, start: number): TftpOptions {
  const options = new Map<string, string>()
  for (let at = start; at < packet.length; ) {
    if (packet[at] === 0) break // padding behind the last option, seen from old PXE ROMs
    const [name, afterName] = text(packet, at, 'option name')
    const [value, afterValue] = text(packet, afterName, `value of option "${name}"`)
    const key = name.toLowerCase()
    if (!options.has(key)) options.set(key, value)
    at = afterValue
  }
  return options
}

function encodeOptions(options: TftpOptions): Uint8Array[] {
  return [...options].flatMap(([name, value]) => [terminated(name), terminated(value)])
}

function u16(packet: Uint8Array, at: number, what: string): number {
  const high = packet[at]
  const low = packet[at + 1]
  if (high === undefined || low === undefined) throw new WireError(`${what} is cut off`, packet.length)
  return high * 256 + low
}

function text(packet: Uint8Array, at: number, what: string): [value: string, next: number] {
  const end = packet.indexOf(0, at)
  if (end < 0) throw new WireError(`${what} does not end`, packet.length)
  return [decoder.decode(packet.subarray(at, end)), end + 1]
}

function terminated(value: string): Uint8Array {
  if (value.includes('\0')) throw new RangeError('a TFTP text may not hold a NUL')
  return encoder.encode(`${value}\0`)
}

function head(...words: number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word) => [(word >>> 8) & 0xff, word & 0xff]))
}

function join(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
