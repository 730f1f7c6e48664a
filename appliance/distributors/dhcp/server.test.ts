import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { BootAdvice, BootClient } from '@bridgehead/shared/boot/client.ts'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { newId } from '@bridgehead/shared/ids.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { type Ipv4, ipv4ToNumber, type Mac } from '@bridgehead/shared/model/address.ts'
import { Lan, type LanMode } from '@bridgehead/shared/model/state.ts'
import { type DhcpPacket, decodeDhcp, encodeDhcp, messageType } from '@bridgehead/shared/wire/dhcp.ts'
import { latin1, OPTION, readText, readU32, u32 } from '@bridgehead/shared/wire/dhcp-options.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { createOutbox } from '../../store/outbox.ts'
import { openStore } from '../../store/store.ts'
import { createDhcpServer } from './server.ts'

const SERVER = '127.0.77.1' as Ipv4
const RELAY = '127.0.77.2'
const MAC = '02:00:00:00:00:07' as Mac
const ip = ipv4ToNumber
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const lanOf = (mode: LanMode, to = '127.0.77.20') =>
  Lan.parse({ name: 'lan', subnet: '127.0.77.0/24', address: SERVER, mode, ranges: [{ from: '127.0.77.10', to }], leaseSeconds: 600 })

/** A server on loopback, and the relay through which its clients speak. */
async function start(mode: LanMode, { open = true, to }: { open?: boolean; to?: string } = {}) {
  const port = await freePort()
  const real = openStore(':memory:')
  const clock = steppedClock(1_800_000_000_000)
  const outbox = createOutbox(real.db, { clock, newId })
  const saw: string[] = []
  const disk = { full: false }
  const advise = (client: BootClient): BootAdvice => ({ kind: 'file', file: `${client.stage}.efi`, server: SERVER, reasons: [] })
  const server = createDhcpServer({
    store: {
      ...real,
      write: (task) => (disk.full ? real.write(task).then(() => Promise.reject(new Error('disk full'))) : real.write(task)),
    },
    outbox,
    clock,
    log: silentLog,
    random: () => 0.5,
    ports: { dhcp: port, pxe: port + 2 },
    probeMs: 1000,
    boot: {
      advise,
      saw: (client, _lan, stage, address) => void saw.push(`${client.stage} ${stage} ${address ?? '-'}`),
      reservation: () => undefined,
      reserved: () => false,
    },
  })
  server.apply([lanOf(mode, to)])
  await server.start()
  if (open) clock.advance(1000)
  const relay = createSocket({ type: 'udp4', reuseAddr: true })
  relay.bind(port, RELAY)
  await once(relay, 'listening')
  cleanups.push(
    () => real.close(),
    () => server.stop(),
    () => relay.close(),
  )
  const events = () => outbox.peek(100).map(({ event }) => JSON.parse(event) as { kind: string; data: Record<string, unknown> })
  return { server, clock, relay, port, saw, disk, events, send: (bytes: Uint8Array, to = port) => relay.send(bytes, to, SERVER) }
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, RELAY)
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  return port
}

function message(type: number, more: Partial<DhcpPacket> = {}, options: [number, Uint8Array][] = []): Uint8Array {
  return encodeDhcp({
    op: 1,
    htype: 1,
    hops: 1,
    xid: 42,
    secs: 0,
    flags: 0,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0,
    giaddr: ip(RELAY),
    chaddr: Uint8Array.of(2, 0, 0, 0, 0, 7),
    sname: '',
    file: '',
    ...more,
    options: new Map([[OPTION.messageType, Uint8Array.of(type)], ...options]),
  })
}
const DISCOVER = 1
const REQUEST = 3
const select = (address: number, more: [number, Uint8Array][] = []) =>
  message(REQUEST, {}, [[OPTION.serverId, u32(ip(SERVER))], [OPTION.requestedIp, u32(address)], ...more])
const PXE: [number, Uint8Array] = [OPTION.vendorClass, latin1('PXEClient:Arch:00007:UNDI:003000')]

async function reply(relay: Socket): Promise<DhcpPacket> {
  const [bytes] = (await once(relay, 'message')) as [Uint8Array]
  return decodeDhcp(bytes)
}
/** What comes within 50 ms. */
async function silence(relay: Socket): Promise<'silence' | 'noise'> {
  const heard = once(relay, 'message').then(() => 'noise' as const)
  return Promise.race([heard, new Promise<'silence'>((resolve) => setTimeout(() => resolve('silence'), 50))])
}

test('a client gets an offer, then a lease that is in the book and in the outbox before it is told', async () => {
  const { server, relay, send, events } = await start('serve')
  send(message(DISCOVER))
  const offer = await reply(relay)
  expect(messageType(offer)).toBe('offer')
  send(select(offer.yiaddr, [[OPTION.hostName, latin1('Host-7.example')]]))
  const ack = await reply(relay)
  expect(messageType(ack)).toBe('ack')
  expect(ack.yiaddr).toBe(ip('127.0.77.10'))
  expect(server.leaseOf(MAC)).toBe('127.0.77.10')
  expect(server.leases('lan')).toMatchObject([{ mac: MAC, ip: '127.0.77.10', hostname: 'host-7', state: 'bound' }])
  expect(events()).toMatchObject([{ kind: 'dhcp.lease', data: { mac: MAC, ip: '127.0.77.10', lan: 'lan', hostname: 'host-7' } }])
  send(message(REQUEST, { ciaddr: ack.yiaddr }, [[OPTION.hostName, latin1('host-7')]])) // renews: no news
  expect(messageType(await reply(relay))).toBe('ack')
  expect(events()).toHaveLength(1)
  expect(server.counters()).toMatchObject({ offer: 1, ack: 2 })
})

test('a lease that runs out is told of', async () => {
  const { server, clock, relay, send, events } = await start('serve')
  send(select(ip('127.0.77.12')))
  await reply(relay)
  for (let tick = 0; tick < 62; tick++) clock.advance(10_000)
  await expect.poll(() => server.leaseOf(MAC)).toBeUndefined()
  expect(events().at(-1)).toMatchObject({ kind: 'dhcp.release', data: { mac: MAC, ip: '127.0.77.12', why: 'expired' } })
})

test('when the disk refuses, the client is told nothing and the address stays free', async () => {
  const { server, relay, send, disk } = await start('serve')
  disk.full = true
  send(select(ip('127.0.77.12')))
  expect(await silence(relay)).toBe('silence')
  expect(server.counters()['dropped.store']).toBe(1)
})

test('a full pool is told of once a minute', async () => {
  const { server, relay, send, events } = await start('serve', { to: '127.0.77.10' })
  send(message(DISCOVER))
  await reply(relay)
  for (let other = 0; other < 5; other++) send(message(DISCOVER, { chaddr: Uint8Array.of(2, 0, 0, 0, 1, other) }))
  expect(await silence(relay)).toBe('silence')
  expect(events().filter(({ kind }) => kind === 'dhcp.pool-full')).toHaveLength(1)
  expect(server.counters()['silent.the pool is full']).toBe(5)
})

test('nobody is answered before it is known that nobody else does', async () => {
  const { clock, relay, send } = await start('serve', { open: false })
  send(message(DISCOVER))
  expect(await silence(relay)).toBe('silence')
  clock.advance(1000)
  send(message(DISCOVER))
  expect(messageType(await reply(relay))).toBe('offer')
})

test('another server’s answer to the probe keeps the LAN shut, and is told of', async () => {
  const { server, clock, relay, send, events } = await start('serve', { open: false })
  send(message(2, { op: 2, xid: 0x8000_0000, yiaddr: ip('127.0.77.99') }, [[OPTION.serverId, u32(ip('127.0.77.250'))]]))
  await expect.poll(() => events().length).toBe(1)
  clock.advance(1000)
  send(message(DISCOVER))
  expect(await silence(relay)).toBe('silence')
  expect(server.counters()['silent.blocked']).toBe(1)
  expect(events()).toMatchObject([{ kind: 'dhcp.foreign-server', data: { lan: 'lan', server: '127.0.77.250', blocked: true } }])
})

test('observing answers nothing, learns leases from what it hears, and names the server', async () => {
  const { server, relay, send, events, saw } = await start('observe')
  send(message(REQUEST, { giaddr: 0 }, [[OPTION.serverId, u32(ip('127.0.77.250'))], [OPTION.requestedIp, u32(ip('127.0.77.99'))], PXE]))
  expect(await silence(relay)).toBe('silence')
  expect(server.leaseOf(MAC)).toBe('127.0.77.99')
  expect(saw).toEqual(['firmware request -'])
  expect(events().map(({ kind }) => kind)).toEqual(['dhcp.foreign-server', 'dhcp.lease'])
  send(message(6, { op: 2 }, [[OPTION.serverId, u32(ip('127.0.77.250'))]])) // a NAK: it never got it
  await expect.poll(() => server.leaseOf(MAC)).toBeUndefined()
})

test('what was observed is kept when serving begins', async () => {
  const { server, clock, relay, send } = await start('observe')
  send(message(REQUEST, { giaddr: 0 }, [[OPTION.requestedIp, u32(ip('127.0.77.15'))]]))
  await expect.poll(() => server.leaseOf(MAC)).toBe('127.0.77.15')
  server.apply([lanOf('serve')])
  await silence(relay)
  clock.advance(1000)
  send(message(DISCOVER))
  expect((await reply(relay)).yiaddr).toBe(ip('127.0.77.15'))
})

describe('a proxy', () => {
  test('answers boot clients only, without an address', async () => {
    const { relay, send, saw } = await start('proxy')
    send(message(DISCOVER))
    expect(await silence(relay)).toBe('silence')
    send(message(DISCOVER, {}, [PXE]))
    const offer = await reply(relay)
    expect([messageType(offer), offer.yiaddr, offer.file]).toEqual(['offer', 0, 'firmware.efi'])
    expect(readText(offer.options.get(OPTION.vendorClass))).toBe('PXEClient')
    expect(offer.options.has(OPTION.leaseTime)).toBe(false)
    expect(saw).toEqual(['firmware discover -', 'firmware offer -'])
  })

  test('answers on the boot server port, to the port that asked', async () => {
    const { relay, send, port, saw } = await start('proxy')
    send(message(REQUEST, { giaddr: 0, ciaddr: ip('127.0.77.99') }, [PXE]), port + 2)
    const ack = await reply(relay)
    expect([messageType(ack), ack.file, readU32(ack.options.get(OPTION.serverId))]).toEqual(['ack', 'firmware.efi', ip(SERVER)])
    expect(saw).toEqual(['firmware request 127.0.77.99', 'firmware ack 127.0.77.99'])
  })
})

test('random bytes on both ports are counted and dropped; then it still answers', async () => {
  const { server, relay, send, port } = await start('serve')
  let state = 1
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % below
  }
  for (let round = 0; round < 1000; round++) {
    const bytes =
      round % 2 ? message(DISCOVER, {}, [PXE, [OPTION.vendorSpecific, Uint8Array.of(71, 4, 1)]]).slice() : new Uint8Array(random(400))
    for (let count = 0; count < 8; count++) if (bytes.length > 0) bytes[random(bytes.length)] = random(256)
    send(bytes, round % 3 ? port : port + 2)
    if (round % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await expect.poll(() => server.counters().received).toBeGreaterThan(900) // the kernel may drop some of such a burst
  const before = server.counters()
  expect(before.malformed).toBeGreaterThan(100)
  expect(before['dropped.store']).toBeUndefined()
  const xids: number[] = []
  relay.on('message', (bytes) => void xids.push(decodeDhcp(bytes).xid))
  send(message(DISCOVER, { xid: 4711 }))
  await expect.poll(() => xids).toContain(4711)
})

test('a relay of another network is not answered', async () => {
  const { server, relay, send } = await start('serve')
  send(message(DISCOVER, { giaddr: ip('10.9.9.9') }))
  expect(await silence(relay)).toBe('silence')
  expect(server.counters()['dropped.unknown-relay']).toBe(1)
})

test('a LAN that is taken away is answered no more', async () => {
  const { server, relay, send } = await start('serve')
  server.apply([])
  await silence(relay)
  send(message(DISCOVER))
  expect(await silence(relay)).toBe('silence')
})
