#!/usr/bin/env node
// Runs in a namespace on a box's LAN: asks its DHCP and DNS every 100 ms, its TFTP and HTTP every 250 ms, and prints one line for each answer.
// node probe-process.ts MAC SERVER NAME        ->  dhcp 1790000000000 10.20.0.100
import { createSocket } from 'node:dgram'
import { get } from 'node:http'
import { numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import { BROADCAST_FLAG, decodeDhcp, encodeDhcp, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { OPTION } from '@bridgehead/shared/wire/dhcp-options.ts'

const EVERY_MS = 100
/** Each costs the box a socket. */
const FILE_EVERY_MS = 250
const FILE_MS = 2000
const [mac = '', server = '', name = ''] = process.argv.slice(2)
const tell = (what: string, detail: string) => process.stdout.write(`${what} ${Date.now()} ${detail}\n`)
let count = 0

const dhcp = createSocket({ type: 'udp4', reuseAddr: true })
dhcp.on('message', (bytes) => {
  const packet = decodeDhcp(bytes)
  if (packet.op === 2) tell('dhcp', `${messageType(packet)} ${numberToIpv4(packet.yiaddr)}`)
})
dhcp.on('error', (error) => tell('error', error.message))
dhcp.bind(68, () => {
  dhcp.setBroadcast(true)
  const chaddr = Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16))
  const none = { ciaddr: 0, yiaddr: 0, siaddr: 0, giaddr: 0, secs: 0, sname: '', file: '' }
  setInterval(() => {
    const options = new Map([[OPTION.messageType, Uint8Array.of(1)]])
    const discover = encodeDhcp({ ...none, op: 1, htype: 1, hops: 0, xid: ++count, flags: BROADCAST_FLAG, chaddr, options })
    dhcp.send(discover, 67, '255.255.255.255', () => undefined) // an interface that is down answers by silence, too
  }, EVERY_MS)
})

//  id | flags: RD | QDCOUNT 1 | 0 0 0 | labels 0 | QTYPE A | QCLASS IN                (RFC 1035 §4.1)
const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)])
const query = (id: number) => Uint8Array.of(id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1)
const dns = createSocket('udp4')
dns.on('message', (bytes) => tell('dns', `rcode ${(bytes[3] ?? 0) & 15}`))
dns.on('error', (error) => tell('error', error.message))
setInterval(() => dns.send(query(++count & 0xffff), 53, server, () => undefined), EVERY_MS)

// RRQ in mode netascii, which the server refuses with a word: no file is looked for. Each from a port of its own, as every client's is (RFC 1350 §4).
setInterval(() => {
  const tftp = createSocket('udp4')
  const end = setTimeout(() => tftp.close(), FILE_MS)
  tftp.once('message', (bytes) => {
    tell('tftp', `opcode ${bytes[1]}`)
    clearTimeout(end)
    tftp.close()
  })
  tftp.on('error', (error) => tell('error', error.message))
  tftp.send(Buffer.from('\0\x01health\0netascii\0', 'latin1'), 69, server, () => undefined)
}, FILE_EVERY_MS)

setInterval(() => {
  const asked = get({ host: server, path: '/boot/start.ipxe', agent: false, timeout: FILE_MS }, (answer) => {
    tell('http', `${answer.statusCode}`)
    answer.resume()
  })
  asked.on('timeout', () => asked.destroy())
  asked.on('error', () => undefined) // refused, reset, silent: no answer is what counts
}, FILE_EVERY_MS)
