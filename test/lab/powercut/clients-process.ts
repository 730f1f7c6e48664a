#!/usr/bin/env node
// Runs in a namespace on a box's LAN: many DHCP clients in one. Prints one JSON line for each DHCPACK or DHCPNAK.
// node clients-process.ts come LOG CLIENTS PER-SECOND   machines come and renew, for ever; each line says how long the file LOG was
// node clients-process.ts renew mac=ip,mac=ip,...       each asks for its address as after a restart, until all were answered; "mac=": a new machine
import { createSocket } from 'node:dgram'
import { statSync } from 'node:fs'
import { ipv4ToNumber, numberToIpv4 } from '@bridgehead/shared/model/address.ts'
import { BROADCAST_FLAG, decodeDhcp, encodeDhcp, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { macOf } from '@bridgehead/shared/wire/dhcp-boot.ts'
import { OPTION, readU32, u32 } from '@bridgehead/shared/wire/dhcp-options.ts'

interface Client {
  mac: string
  ip: number | undefined
}

const [mode = '', ...rest] = process.argv.slice(2)
const log = mode === 'come' ? rest[0] : undefined
const clients: Client[] =
  mode === 'come'
    ? Array.from({ length: Number(rest[1]) }, (_, index) => ({
        mac: `52:54:00:cc:00:${index.toString(16).padStart(2, '0')}`,
        ip: undefined,
      }))
    : (rest[0] ?? '').split(',').map((pair) => {
        const [mac = '', ip = ''] = pair.split('=')
        return { mac, ip: ip === '' ? undefined : ipv4ToNumber(ip) }
      })
const EVERY_MS = mode === 'come' ? 1000 / Number(rest[2]) : Math.max(20, 500 / clients.length)
const waiting = new Set(clients)

const socket = createSocket({ type: 'udp4', reuseAddr: true })
socket.on('message', (bytes) => {
  const packet = decodeDhcp(bytes)
  if (packet.op !== 2) return
  const client = clients.find(({ mac }) => mac === macOf(packet))
  const type = messageType(packet)
  if (!client) return
  if (type === 'offer') return ask(client, 3, packet.yiaddr, readU32(packet.options.get(OPTION.serverId)))
  if (type !== 'ack' && type !== 'nak') return
  const logBytes = log === undefined ? 0 : statSync(log).size
  client.ip = type === 'ack' ? packet.yiaddr : undefined
  const seconds = readU32(packet.options.get(OPTION.leaseTime)) ?? 0
  process.stdout.write(`${JSON.stringify({ type, mac: client.mac, ip: numberToIpv4(packet.yiaddr), seconds, at: Date.now(), logBytes })}\n`)
  waiting.delete(client)
  if (mode === 'renew' && waiting.size === 0) setTimeout(() => process.exit(0), 50)
})
socket.on('error', () => process.exit(1))
socket.bind(68, () => {
  socket.setBroadcast(true)
  let turn = 0
  setInterval(() => {
    const among = mode === 'come' ? clients : [...waiting]
    const client = among[turn++ % among.length]
    if (client?.ip === undefined) ask(client, 1)
    else ask(client, 3, client?.ip)
  }, EVERY_MS)
})

/** A DISCOVER (1) or REQUEST (3); with a server it takes an offer, without one it is the request of a machine that starts anew (RFC 2131 §4.3.2). */
function ask(client: Client | undefined, type: 1 | 3, ip?: number, server?: number): void {
  if (!client) return
  const options = new Map<number, Uint8Array>([[OPTION.messageType, Uint8Array.of(type)]])
  if (server !== undefined) options.set(OPTION.serverId, u32(server))
  if (ip !== undefined) options.set(OPTION.requestedIp, u32(ip))
  const chaddr = Uint8Array.from(client.mac.split(':'), (pair) => Number.parseInt(pair, 16))
  const none = { ciaddr: 0, yiaddr: 0, siaddr: 0, giaddr: 0, secs: 0, sname: '', file: '' }
  const bytes = encodeDhcp({ ...none, op: 1, htype: 1, hops: 0, xid: Date.now() >>> 0, flags: BROADCAST_FLAG, chaddr, options })
  socket.send(bytes, 67, '255.255.255.255', () => undefined) // an interface that is down answers by silence, too
}
