// Many clients behind one relay, each asking until it has its lease: node dhcp-load.ts <own address> <server> <clients> <rate/s>
// Prints one line an acknowledged lease: `<mac> <ip>`; repeats what got no answer after 300 ms, as a client would; ends when all have one.
import { createSocket } from 'node:dgram'
import { ipv4ToNumber, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import { decodeDhcp, encodeDhcp, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { macOf } from '@bridgehead/shared/wire/dhcp-boot.ts'
import { OPTION, u32 } from '@bridgehead/shared/wire/dhcp-options.ts'

const [own = '', server = '', clients = '100', rate = '500'] = process.argv.slice(2)
const TRY_AGAIN_MS = 300
const states = new Map<number, { at: number; offered: number | undefined }>()
const done = new Set<number>()
const socket = createSocket({ type: 'udp4', reuseAddr: true })

function send(client: number): void {
  const offered = states.get(client)?.offered
  states.set(client, { at: Date.now(), offered })
  const options = new Map<number, Uint8Array>([[OPTION.messageType, Uint8Array.of(offered === undefined ? 1 : 3)]])
  if (offered !== undefined) options.set(OPTION.serverId, u32(ipv4ToNumber(server))).set(OPTION.requestedIp, u32(offered))
  const chaddr = Uint8Array.of(2, 0xbe, 0, client >>> 16, client >>> 8, client)
  const none = { ciaddr: 0, yiaddr: 0, siaddr: 0, secs: 0, flags: 0, sname: '', file: '' }
  const bytes = encodeDhcp({ ...none, op: 1, htype: 1, hops: 1, xid: client, giaddr: ipv4ToNumber(own), chaddr, options })
  socket.send(bytes, 67, server, () => {}) // refused while nobody listens: tried again
}

socket.on('message', (bytes) => {
  const packet = decodeDhcp(bytes)
  const client = packet.xid
  const type = messageType(packet)
  if (done.has(client)) return
  if (type === 'offer') {
    states.set(client, { at: 0, offered: packet.yiaddr })
    send(client)
  } else if (type === 'nak') states.set(client, { at: 0, offered: undefined })
  else if (type === 'ack') {
    done.add(client)
    process.stdout.write(`${macOf(packet)} ${numberToIpv4(packet.yiaddr)}\n`)
    if (done.size === Number(clients)) process.exit(0)
  }
})
socket.on('error', () => {}) // port unreachable, while the server is dead
socket.bind(67, own, () => {
  let next = 0
  setInterval(() => {
    for (let count = Number(rate) / 50; count > 0 && next < Number(clients); count--) send(next++)
    const late = Date.now() - TRY_AGAIN_MS
    for (const [client, { at }] of states) if (at < late && !done.has(client)) send(client)
  }, 20)
})
