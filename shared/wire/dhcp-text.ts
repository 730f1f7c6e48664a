import { numberToIpv4 } from '../model/address.ts'
import { type DhcpPacket, messageType } from './dhcp.ts'
import { decodeEncapsulated, decodeUuid, hex, userClasses } from './dhcp-boot.ts'
import { OPTION, readText, readU16, readU32 } from './dhcp-options.ts'
import { WireError } from './errors.ts'

const NAMES = new Map<number, string>(Object.entries(OPTION).map(([name, code]) => [code, name]))
const ADDRESSES = new Set<number>([OPTION.subnetMask, OPTION.router, OPTION.dns, OPTION.broadcast, OPTION.requestedIp, OPTION.serverId])
const SECONDS = new Set<number>([OPTION.leaseTime, OPTION.renewalTime, OPTION.rebindingTime])
const TEXTS = new Set<number>([OPTION.hostName, OPTION.domainName, OPTION.message, OPTION.vendorClass, OPTION.tftpServer, OPTION.bootFile])

/** A message as lines for people and for golden files: the header in one, then an option a line, in the order of the wire. */
export function formatDhcp(packet: DhcpPacket): string {
  const addresses = (['ciaddr', 'yiaddr', 'siaddr', 'giaddr'] as const)
    .filter((field) => packet[field] !== 0)
    .map((field) => ` ${field}=${numberToIpv4(packet[field])}`)
    .join('')
  const texts = (['sname', 'file'] as const).filter((field) => packet[field]).map((field) => ` ${field}=${JSON.stringify(packet[field])}`)
  const head = `${(messageType(packet) ?? 'bootp').toUpperCase()} xid=${packet.xid.toString(16).padStart(8, '0')} secs=${packet.secs}`
  const flags = packet.flags === 0 ? '' : ` flags=${packet.flags.toString(16).padStart(4, '0')}`
  const lines = [`${head}${flags} chaddr=${packet.htype}/${hex(packet.chaddr)}${addresses}${texts.join('')}`]
  for (const [code, value] of packet.options) lines.push(`  ${code} ${NAMES.get(code) ?? 'option'}: ${formatOption(code, value)}`)
  return lines.join('\n')
}

function formatOption(code: number, value: Uint8Array): string {
  if (ADDRESSES.has(code) && value.length > 0 && value.length % 4 === 0)
    return Array.from({ length: value.length / 4 }, (_, index) => numberToIpv4(readU32(value.subarray(index * 4)) ?? 0)).join(' ')
  if (SECONDS.has(code)) return `${readU32(value)} s`
  if (TEXTS.has(code)) return JSON.stringify(readText(value))
  switch (code) {
    case OPTION.messageType:
      return String(value[0])
    case OPTION.maxMessageSize:
    case OPTION.clientArch:
      return `${readU16(value)} (${hex(value)})`
    case OPTION.parameterList:
      return value.join(' ')
    case OPTION.userClass:
      return userClasses(value)
        .map((one) => JSON.stringify(one))
        .join(' ')
    case OPTION.clientUuid:
      return `${decodeUuid(value) ?? 'none'} (${hex(value)})`
    case OPTION.vendorSpecific:
    case OPTION.ipxe:
      return formatEncapsulated(value)
    default:
      return hex(value)
  }
}

function formatEncapsulated(value: Uint8Array): string {
  try {
    return [...decodeEncapsulated(value)].map(([code, part]) => `${code}=${hex(part)}`).join(' ')
  } catch (error) {
    if (error instanceof WireError) return `${hex(value)} (${error.message})`
    throw error
  }
}
