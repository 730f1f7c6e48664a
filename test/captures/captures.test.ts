// Each capture has a readable twin, decoded by our codec. UPDATE_GOLDEN=1 rewrites the twins; read the diff before you commit it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { decodeDhcp, encodeDhcp } from '@bridgehead/shared/wire/dhcp.ts'
import { formatDhcp } from '@bridgehead/shared/wire/dhcp-text.ts'
import { expect, test } from 'vitest'
import { type Datagram, readUdp } from './pcap.ts'

const DHCP_PORTS = [67, 68, 4011]
const captures = readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.pcap'))
const dhcpOf = (name: string) => readUdp(new URL(name, import.meta.url)).filter(({ toPort }) => DHCP_PORTS.includes(toPort))

function twin({ at, from, to, fromPort, toPort, payload }: Datagram): string {
  return `+${at.toFixed(2)} ${from}:${fromPort} > ${to}:${toPort} ${payload.length} bytes\n${formatDhcp(decodeDhcp(payload))}\n`
}

for (const name of captures) {
  test(`${name} decodes as its golden twin says`, () => {
    const golden = new URL(name.replace(/pcap$/, 'txt'), import.meta.url)
    const text = dhcpOf(name).map(twin).join('\n')
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, text)
    expect(text).toBe(readFileSync(golden, 'utf8'))
  })

  test(`${name}: what we encode of it decodes to the same`, () => {
    for (const { payload } of dhcpOf(name)) {
      const packet = decodeDhcp(payload)
      expect(decodeDhcp(encodeDhcp(packet, 1472))).toEqual(packet)
    }
  })
}
