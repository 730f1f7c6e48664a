import type { BootClient } from '../boot/client.ts'
import { platformOf } from '../boot/client.ts'
import type { Mac } from '../model/address.ts'
import type { DhcpPacket } from './dhcp.ts'
import { decodeOptions, encodeOptions, OPTION, type Options, readText, readU16 } from './dhcp-options.ts'
import { WireError } from './errors.ts'

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** The Ethernet address of the client; undefined for other hardware and for all zeros. */
export function macOf(packet: DhcpPacket): Mac | undefined {
  const { chaddr, htype } = packet
  if (htype !== 1 || chaddr.length !== 6) return undefined
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = chaddr
  if ((a | b | c | d | e | f) === 0) return undefined
  return `${HEX[a]}:${HEX[b]}:${HEX[c]}:${HEX[d]}:${HEX[e]}:${HEX[f]}` as Mac
}

/**
 * Who wants to network-boot: PXE firmware, UEFI HTTP boot or iPXE; undefined for every other client. GRUB's `net_bootp` names itself
 * in nothing (capture bios-grub.pcap) and counts as an ordinary client.
 */
export function bootClientOf(packet: DhcpPacket, mac: Mac): BootClient | undefined {
  const vendor = packet.options.get(OPTION.vendorClass)
  const http = startsWith(vendor, 'HTTPClient')
  const ipxe = packet.options.has(OPTION.ipxe) || userClasses(packet.options.get(OPTION.userClass)).includes('iPXE')
  if (!http && !ipxe && !startsWith(vendor, 'PXEClient')) return undefined
  return {
    mac,
    uuid: decodeUuid(packet.options.get(OPTION.clientUuid)),
    platform: platformOf(readU16(packet.options.get(OPTION.clientArch)) ?? archOfVendorClass(vendor)),
    stage: ipxe ? 'ipxe' : 'firmware',
    http: http && !ipxe,
  }
}

/**
 * Option 77. RFC 3004 §4 wants length-prefixed parts; iPXE sends its four letters bare (every iPXE capture), other clients too: when
 * the lengths do not add up, the whole value is one class.
 */
export function userClasses(value: Uint8Array | undefined): string[] {
  if (value === undefined || value.length === 0) return []
  const classes: string[] = []
  let at = 0
  while (at < value.length) {
    const length = value[at] ?? 0
    if (length === 0 || at + 1 + length > value.length) return [readText(value)]
    classes.push(readText(value.subarray(at + 1, at + 1 + length)))
    at += 1 + length
  }
  return classes
}

/**
 * Option 97 (RFC 4578 §2.3): a zero byte, then the UUID as SMBIOS holds it, its first three fields little-endian (capture
 * bios-uuid-order.pcap). Returns it in the usual order; undefined for all zeros, which machines without one send.
 */
export function decodeUuid(value: Uint8Array | undefined): string | undefined {
  if (value === undefined || value.length !== 17 || value[0] !== 0) return undefined
  if (value.every((byte) => byte === 0)) return undefined
  const at = (...indexes: number[]) => indexes.map((index) => HEX[value[index + 1] ?? 0]).join('')
  return `${at(3, 2, 1, 0)}-${at(5, 4)}-${at(7, 6)}-${at(8, 9)}-${at(10, 11, 12, 13, 14, 15)}`
}

/** Sub-options of option 43 or 175. Throws WireError when they are truncated. */
export function decodeEncapsulated(value: Uint8Array): Options {
  try {
    return decodeOptions(value)
  } catch (error) {
    if (error instanceof WireError) throw new WireError(`in an encapsulated option: ${error.message}`, error.offset)
    throw error
  }
}

/** PXE sub-options of option 43 (PXE 2.1 table 2-1): 6 discovery control, 71 boot item. */
export const PXE = { discoveryControl: 6, bootItem: 71 } as const
/** Bit 3 of PXE_DISCOVERY_CONTROL: no menu, no boot server discovery, load the file that this very offer names. */
export const PXE_USE_BOOT_FILE = 0x08
/** iPXE's "no-pxedhcp", 175.176: proxyDHCP offers need not be waited for (up to 2.5 s saved at each `dhcp`). */
export const IPXE_NO_PXEDHCP = 176

export function encodePxe(entries: Iterable<[number, Uint8Array]>): Uint8Array {
  return encodeOptions(new Map(entries))
}

/** 175 is read by length: it needs no END. */
export const NO_PXEDHCP = Uint8Array.of(IPXE_NO_PXEDHCP, 1, 1)

/** `PXEClient:Arch:00007:UNDI:003016` -> 7; some ROMs send it without option 93. */
function archOfVendorClass(value: Uint8Array | undefined): number | undefined {
  const found = /^\w+:Arch:(\d{5})/.exec(readText(value))
  return found ? Number(found[1]) : undefined
}

function startsWith(value: Uint8Array | undefined, text: string): boolean {
  if (value === undefined || value.length < text.length) return false
  for (let index = 0; index < text.length; index++) if (value[index] !== text.charCodeAt(index)) return false
  return true
}
