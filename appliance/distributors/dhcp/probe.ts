import { BROADCAST_FLAG, encodeDhcp } from '@bridgehead/shared/wire/dhcp.ts'
import { OPTION } from '@bridgehead/shared/wire/dhcp-options.ts'

/** Who is it that serves here? A DISCOVER that nobody follows up; with `giaddr`, as a relay's, so that the answer comes by unicast. */
export function encodeProbe({ xid, mac, giaddr }: { xid: number; mac: string; giaddr: number }): Uint8Array {
  return encodeDhcp({
    op: 1,
    htype: 1,
    hops: giaddr === 0 ? 0 : 1,
    xid,
    secs: 0,
    flags: BROADCAST_FLAG,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0,
    giaddr,
    chaddr: Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16)),
    sname: '',
    file: '',
    options: new Map([
      [OPTION.messageType, Uint8Array.of(1)],
      [OPTION.parameterList, Uint8Array.of(OPTION.subnetMask, OPTION.router, OPTION.serverId)],
    ]),
  })
}
