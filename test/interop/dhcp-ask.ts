// A boot client without a lease: broadcasts one DISCOVER and prints every reply of the next two seconds, one JSON line each.
// node dhcp-ask.ts <mac> <vendor class> <arch> [ipxe]
import { createSocket } from 'node:dgram'
import { numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import { BROADCAST_FLAG, decodeDhcp, encodeDhcp, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { latin1, OPTION, readText, readU32 } from '@bridgehead/shared/wire/dhcp-options.ts'

const [mac = '', vendorClass = '', arch = '7', ipxe] = process.argv.slice(2)
const socket = createSocket({ type: 'udp4', reuseAddr: true })
socket.on('message', (bytes) => {
  const packet = decodeDhcp(bytes)
  if (packet.op !== 2) return
  const { yiaddr, siaddr, file, options } = packet
  const reply = {
    type: messageType(packet),
    server: numberToIpv4(readU32(options.get(OPTION.serverId)) ?? 0),
    yiaddr: numberToIpv4(yiaddr),
    siaddr: numberToIpv4(siaddr),
    file,
    vendorClass: readText(options.get(OPTION.vendorClass)),
    bootFile: readText(options.get(OPTION.bootFile)),
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`)
})
socket.bind(68, () => {
  socket.setBroadcast(true)
  const options = new Map<number, Uint8Array>([
    [OPTION.messageType, Uint8Array.of(1)],
    [OPTION.vendorClass, latin1(vendorClass)],
    [OPTION.clientArch, Uint8Array.of(0, Number(arch))],
    [OPTION.clientUuid, new Uint8Array(17).fill(7, 1)],
  ])
  if (ipxe) options.set(OPTION.userClass, latin1('iPXE'))
  const none = { ciaddr: 0, yiaddr: 0, siaddr: 0, giaddr: 0, secs: 0, sname: '', file: '' }
  const chaddr = Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16))
  socket.send(encodeDhcp({ ...none, op: 1, htype: 1, hops: 0, xid: 77, flags: BROADCAST_FLAG, chaddr, options }), 67, '255.255.255.255')
})
setTimeout(() => process.exit(0), 2000)
