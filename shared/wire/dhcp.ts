import { decodeOptions, latin1, OPTION, type Options, optionBytes, readText, writeOption } from './dhcp-options.ts'
import { WireError } from './errors.ts'

export const MESSAGE_TYPES = [undefined, 'discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'] as const
/** Option 53 (RFC 2132 §9.6). */
export type MessageType = Exclude<(typeof MESSAGE_TYPES)[number], undefined>

/** One DHCP message. Addresses are unsigned 32-bit numbers, 0 for none. */
export interface DhcpPacket {
  /** 1 from a client, 2 from a server. */
  op: 1 | 2
  htype: number
  hops: number
  xid: number
  secs: number
  flags: number
  ciaddr: number
  yiaddr: number
  siaddr: number
  giaddr: number
  /** Hardware address, `hlen` bytes. */
  chaddr: Uint8Array
  /** Empty when the field holds options instead (option 52). */
  sname: string
  file: string
  options: Options
}

export const BROADCAST_FLAG = 0x8000
const COOKIE = 0x63825363
const SNAME = 44
const FILE = 108
const OPTIONS = 240
/** RFC 1542 §2.1: relays and firmware may drop what is shorter than a BOOTP message. */
const MIN_BYTES = 300

//  op 1 | htype 1 | hlen 1 | hops 1 | xid 4 | secs 2 | flags 2 | ciaddr 4 | yiaddr 4 | siaddr 4 | giaddr 4
//  chaddr 16 | sname 64 | file 128 | cookie 4 | options ...                                  (RFC 2131 §2)
/** Reads one message of any length. Options and hardware address are views into `bytes`. Throws WireError, nothing else. */
export function decodeDhcp(bytes: Uint8Array): DhcpPacket {
  if (bytes.length < OPTIONS) throw new WireError(`expected at least ${OPTIONS} bytes, got ${bytes.length}`, bytes.length)
  const op = bytes[0]
  if (op !== 1 && op !== 2) throw new WireError(`expected op 1 or 2, got ${op}`, 0)
  const hlen = bytes[2] ?? 0
  if (hlen > 16) throw new WireError(`hardware address of ${hlen} bytes; 16 fit`, 2)
  if (get32(bytes, 236) !== COOKIE) throw new WireError('no DHCP magic cookie', 236)

  const options = decodeOptions(bytes, OPTIONS)
  const overload = options.get(OPTION.overload)?.[0] ?? 0
  if (overload > 3) throw new WireError(`option overload ${overload}; expected 1, 2 or 3`, OPTIONS)
  options.delete(OPTION.overload)
  if (overload & 1) decodeOptions(bytes, FILE, 236, options) // file first, then sname: RFC 3396 §5
  if (overload & 2) decodeOptions(bytes, SNAME, FILE, options)

  return {
    op,
    htype: bytes[1] ?? 0,
    hops: bytes[3] ?? 0,
    xid: get32(bytes, 4),
    secs: get16(bytes, 8),
    flags: get16(bytes, 10),
    ciaddr: get32(bytes, 12),
    yiaddr: get32(bytes, 16),
    siaddr: get32(bytes, 20),
    giaddr: get32(bytes, 24),
    chaddr: bytes.subarray(28, 28 + hlen),
    sname: overload & 2 || bytes[SNAME] === 0 ? '' : readText(bytes.subarray(SNAME, FILE)),
    file: overload & 1 || bytes[FILE] === 0 ? '' : readText(bytes.subarray(FILE, 236)),
    options,
  }
}

/** Option 53 in words; undefined for plain BOOTP and for types beyond RFC 2131. */
export function messageType(packet: DhcpPacket): MessageType | undefined {
  return MESSAGE_TYPES[packet.options.get(OPTION.messageType)?.[0] ?? 0]
}

/**
 * Writes one message of at most `maxBytes` (the UDP payload; RFC 2131 §2 lets every client take 548). What does not fit behind the
 * header goes into `file`, then `sname`, where those are empty (option 52). What does not fit there either is left out, last first:
 * put what matters first. `sname` and `file` must fit their fields (63 and 127 characters); throws RangeError otherwise.
 */
export function encodeDhcp(packet: DhcpPacket, maxBytes = 548): Uint8Array {
  if (packet.sname.length > 63 || packet.file.length > 127) throw new RangeError('sname or file too long for its field')
  let size = OPTIONS + 1
  for (const [code, value] of packet.options) if (code !== OPTION.overload) size += optionBytes(value)
  const fits = size <= maxBytes
  const out = new Uint8Array(Math.max(MIN_BYTES, fits ? size : maxBytes))
  writeHeader(out, packet)
  if (!fits) writeOverloaded(out, packet, maxBytes)
  else {
    let at = OPTIONS
    for (const [code, value] of packet.options) if (code !== OPTION.overload) at = writeOption(out, at, code, value)
    out[at] = OPTION.end
  }
  return out
}

function writeHeader(out: Uint8Array, packet: DhcpPacket): void {
  out[0] = packet.op
  out[1] = packet.htype
  out[2] = packet.chaddr.length
  out[3] = packet.hops
  put32(out, 4, packet.xid)
  put16(out, 8, packet.secs)
  put16(out, 10, packet.flags)
  put32(out, 12, packet.ciaddr)
  put32(out, 16, packet.yiaddr)
  put32(out, 20, packet.siaddr)
  put32(out, 24, packet.giaddr)
  for (let index = 0; index < packet.chaddr.length && index < 16; index++) out[28 + index] = packet.chaddr[index] ?? 0
  if (packet.sname !== '') out.set(latin1(packet.sname), SNAME)
  if (packet.file !== '') out.set(latin1(packet.file), FILE)
  put32(out, 236, COOKIE)
}

/** First fit into three areas. An option with all its parts stays in one area, so that parts are never read in the wrong order. */
function writeOverloaded(out: Uint8Array, packet: DhcpPacket, maxBytes: number): void {
  const areas = [
    { at: OPTIONS, end: maxBytes - 4, flag: 0 }, // 3 for option 52, 1 for END
    ...(packet.file === '' ? [{ at: FILE, end: 235, flag: 1 }] : []),
    ...(packet.sname === '' ? [{ at: SNAME, end: FILE - 1, flag: 2 }] : []),
  ]
  let overload = 0
  for (const [code, value] of packet.options) {
    const area = areas.find((one) => one.end - one.at >= optionBytes(value))
    if (area === undefined || code === OPTION.overload) continue
    area.at = writeOption(out, area.at, code, value)
    overload |= area.flag
  }
  for (const area of areas) {
    if (area.flag === 0) {
      if (overload !== 0) area.at = writeOption(out, area.at, OPTION.overload, Uint8Array.of(overload))
      out[area.at] = OPTION.end
    } else if (overload & area.flag) out[area.at] = OPTION.end
  }
}

function get16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}
function get32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
}
function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}
function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
