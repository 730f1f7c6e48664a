import type { BootAdvice, BootClient } from '@bridgehead/shared/boot/client.ts'
import { ipv4ToNumber } from '@bridgehead/shared/model/address.ts'
import type { DhcpPacket } from '@bridgehead/shared/wire/dhcp.ts'
import { encodePxe, NO_PXEDHCP, PXE, PXE_USE_BOOT_FILE } from '@bridgehead/shared/wire/dhcp-boot.ts'
import { latin1, OPTION } from '@bridgehead/shared/wire/dhcp-options.ts'

/** What a reply says about booting. */
export interface BootFields {
  siaddr: number
  /** BOOTP header field; empty when the name is longer than it. */
  file: string
  options: [number, Uint8Array][]
}

const PXE_CLIENT = latin1('PXEClient')
const HTTP_CLIENT = latin1('HTTPClient')
const BYPASS = encodePxe([[PXE.discoveryControl, Uint8Array.of(PXE_USE_BOOT_FILE)]])
const FILE_CHARS = 127

/** Beside a lease of ours: the file both in the header and in option 67, as firmware reads the one or the other. */
export function serveFields(client: BootClient, advice: BootAdvice): BootFields {
  const ipxe: [number, Uint8Array][] = client.stage === 'ipxe' ? [[OPTION.ipxe, NO_PXEDHCP]] : []
  if (advice.kind === 'silent') return { siaddr: 0, file: '', options: ipxe }
  const options: [number, Uint8Array][] = [[OPTION.bootFile, terminated(advice.file)]]
  if (client.http) options.push([OPTION.vendorClass, HTTP_CLIENT])
  else if (client.stage === 'firmware') options.push([OPTION.tftpServer, latin1(advice.server)])
  return { ...header(client, advice), options: [...options, ...ipxe] }
}

/**
 * A proxyDHCP offer (PXE 2.1 §2.2): no address, the class echoed, and what to load. BIOS ROMs and iPXE take the file from it
 * ("use boot file", option 43). UEFI firmware gets no option 43: it then asks port 4011, which every UEFI does, while some ignore
 * offers that bypass it.
 */
export function proxyFields(client: BootClient, advice: BootAdvice, request: DhcpPacket): BootFields | undefined {
  if (advice.kind === 'silent') return undefined
  if (client.http)
    return {
      ...header(client, advice),
      options: [
        [OPTION.vendorClass, HTTP_CLIENT],
        [OPTION.bootFile, terminated(advice.file)],
      ],
    }
  const options: [number, Uint8Array][] = [[OPTION.vendorClass, PXE_CLIENT], ...echoUuid(request)]
  if (client.platform === 'bios-x86' || client.stage === 'ipxe') options.push([OPTION.vendorSpecific, BYPASS])
  if (advice.file.length > FILE_CHARS) options.push([OPTION.bootFile, terminated(advice.file)])
  return { ...header(client, advice), options }
}

/** The boot server's answer on port 4011 (PXE 2.1 §2.2.3): the boot item that was asked for comes back. */
export function bootServerFields(
  client: BootClient,
  advice: BootAdvice,
  request: DhcpPacket,
  item: Uint8Array | undefined,
): BootFields | undefined {
  if (advice.kind === 'silent') return undefined
  const options: [number, Uint8Array][] = [[OPTION.vendorClass, PXE_CLIENT], ...echoUuid(request)]
  if (item !== undefined) options.push([OPTION.vendorSpecific, encodePxe([[PXE.bootItem, item]])])
  if (advice.file.length > FILE_CHARS) options.push([OPTION.bootFile, terminated(advice.file)])
  return { ...header(client, advice), options }
}

/** UEFI HTTP boot reads its URL from option 67 alone; a URL in `file` confuses some. */
function header(client: BootClient, advice: BootAdvice & { kind: 'file' }): { siaddr: number; file: string } {
  return { siaddr: ipv4ToNumber(advice.server), file: client.http || advice.file.length > FILE_CHARS ? '' : advice.file }
}

function echoUuid(request: DhcpPacket): [number, Uint8Array][] {
  const uuid = request.options.get(OPTION.clientUuid)
  return uuid === undefined ? [] : [[OPTION.clientUuid, uuid]]
}

/** Old PXE ROMs read option 67 up to a NUL, past its length; nobody minds one (every capture has it). */
function terminated(text: string): Uint8Array {
  return latin1(`${text}\0`)
}
