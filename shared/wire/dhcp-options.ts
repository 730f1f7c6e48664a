import { WireError } from './errors.ts'

/** DHCP options by code, in the order in which they came. The parts of a split option (RFC 3396) are one value here. */
export type Options = Map<number, Uint8Array>

/** Option codes by the names of RFC 2132, 3004, 3046, 4578 and 5071; 175 is iPXE's own. */
export const OPTION = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostName: 12,
  domainName: 15,
  broadcast: 28,
  vendorSpecific: 43,
  requestedIp: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  maxMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientId: 61,
  tftpServer: 66,
  bootFile: 67,
  userClass: 77,
  relayAgent: 82,
  clientArch: 93,
  clientInterface: 94,
  clientUuid: 97,
  ipxe: 175,
  end: 255,
} as const

/** Lengths that the RFCs fix and that code here relies upon; anything else is a malformed packet. */
const FIXED: ReadonlyMap<number, number> = new Map([
  [OPTION.subnetMask, 4],
  [OPTION.requestedIp, 4],
  [OPTION.leaseTime, 4],
  [OPTION.overload, 1],
  [OPTION.messageType, 1],
  [OPTION.serverId, 4],
  [OPTION.maxMessageSize, 2],
  [OPTION.renewalTime, 4],
  [OPTION.rebindingTime, 4],
])

//   code 1 | length 1 | value length | ... | END        (RFC 2132 §2; PAD is one byte alone)
/**
 * Adds the options in `bytes[from, to)` to `options`. A repeated code continues the value (RFC 3396 §7). A missing END is accepted.
 * Values are views into `bytes`. Throws WireError on a truncated option and on a wrong fixed length.
 */
export function decodeOptions(bytes: Uint8Array, from = 0, to = bytes.length, options: Options = new Map()): Options {
  for (let at = from; at < to; ) {
    const code = bytes[at] ?? OPTION.end
    if (code === OPTION.end) break
    if (code === OPTION.pad) {
      at += 1
      continue
    }
    if (at + 1 >= to) throw new WireError(`option ${code} has no length`, at)
    const length = bytes[at + 1] ?? 0
    const end = at + 2 + length
    if (end > to) throw new WireError(`option ${code} wants ${length} bytes, ${to - at - 2} are left`, at)
    const part = bytes.subarray(at + 2, end)
    const before = options.get(code)
    const value = before === undefined ? part : concat(before, part)
    const fixed = FIXED.get(code)
    if (fixed !== undefined && value.length !== fixed)
      throw new WireError(`option ${code}: expected ${fixed} bytes, got ${value.length}`, at)
    options.set(code, value)
    at = end
  }
  return options
}

/** Bytes that one option takes, with the headers of all its parts. */
export function optionBytes(value: Uint8Array): number {
  return value.length + 2 * Math.max(1, Math.ceil(value.length / 255))
}

/** Writes one option at `at`, in parts of at most 255 bytes (RFC 3396 §5); an empty value is one part. Returns where it ended. */
export function writeOption(into: Uint8Array, at: number, code: number, value: Uint8Array): number {
  let from = 0
  do {
    const length = Math.min(255, value.length - from)
    into[at] = code
    into[at + 1] = length
    for (let index = 0; index < length; index++) into[at + 2 + index] = value[from + index] ?? 0
    at += 2 + length
    from += length
  } while (from < value.length)
  return at
}

/** Options as bytes with END: for encapsulated ones (43, 175), whose END some firmware insists upon. */
export function encodeOptions(options: Options): Uint8Array {
  let size = 1
  for (const value of options.values()) size += optionBytes(value)
  const out = new Uint8Array(size)
  let at = 0
  for (const [code, value] of options) at = writeOption(out, at, code, value)
  out[at] = OPTION.end
  return out
}

/** First four bytes as an unsigned number; undefined when there are fewer. */
export function readU32(value: Uint8Array | undefined): number | undefined {
  if (value === undefined || value.length < 4) return undefined
  return (((value[0] ?? 0) << 24) | ((value[1] ?? 0) << 16) | ((value[2] ?? 0) << 8) | (value[3] ?? 0)) >>> 0
}

export function readU16(value: Uint8Array | undefined): number | undefined {
  if (value === undefined || value.length < 2) return undefined
  return ((value[0] ?? 0) << 8) | (value[1] ?? 0)
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** Text of an option or header field up to its first NUL: many clients and servers terminate it, many do not. Latin-1: never throws. */
export function readText(value: Uint8Array | undefined): string {
  let text = ''
  for (const byte of value ?? []) {
    if (byte === 0) break
    text += String.fromCharCode(byte)
  }
  return text
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0) & 255)
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}
