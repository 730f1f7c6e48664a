import { createSocket, type Socket } from 'node:dgram'
import { readdirSync } from 'node:fs'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { decodeTftp, encodeTftp, type TftpPacket } from '@bridgehead/shared/wire/tftp.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTftpServer, type TftpServer } from './tftp.ts'
import { type TftpFile, tftpFileOf } from './tftp-files.ts'

const LOOPBACK = Ipv4.parse('127.0.0.1')
const CONTENT = Uint8Array.from({ length: 200_000 }, (_, at) => (at * 7 + (at >> 8)) & 255)

let server: TftpServer
let port = 0
let closed = 0
const ended: { name: string; outcome: string; bytes: number; retries: number }[] = []
const sockets: Socket[] = []

beforeEach(async () => {
  ended.length = 0
  closed = 0
  server = createTftpServer({ clock: systemClock, log: silentLog, port: 0, find, done: (transfer) => ended.push(transfer) })
  server.apply([LOOPBACK])
  await server.start()
  port = server.bound()[0]?.port ?? 0
})
afterEach(async () => {
  await server.stop()
  for (const socket of sockets.splice(0)) socket.close()
})

async function find(name: string): Promise<TftpFile | undefined> {
  if (name === 'broken') throw new Error('no')
  if (!['big', 'short', 'liar'].includes(name)) return undefined
  const file = tftpFileOf(name === 'big' ? CONTENT : name === 'liar' ? CONTENT.subarray(0, 100) : CONTENT.subarray(0, 1000))
  return { ...file, size: name === 'liar' ? 5000 : file.size, close: async () => void closed++ }
}

/** A hand-driven client: what it gets waits in `next`. */
function client() {
  const socket = createSocket('udp4')
  sockets.push(socket)
  const inbox: { packet: TftpPacket; port: number }[] = []
  let wake = () => {}
  socket.on('message', (bytes, from) => {
    inbox.push({ packet: decodeTftp(bytes), port: from.port })
    wake()
  })
  return {
    inbox,
    send: (packet: TftpPacket | Uint8Array, to: number) =>
      socket.send(packet instanceof Uint8Array ? packet : encodeTftp(packet), to, '127.0.0.1'),
    async next() {
      while (inbox.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      const first = inbox.shift()
      if (!first) throw new Error('nothing came')
      return first
    },
  }
}
const read = (file: string, options: Record<string, string> = {}, mode = 'octet'): TftpPacket => ({
  kind: 'read',
  file,
  mode,
  options: new Map(Object.entries(options)),
})
const ack = (block: number): TftpPacket => ({ kind: 'ack', block: block & 0xffff })

/** Fetches as a good client does; `window` as negotiated. Returns the file's bytes. */
async function fetchFile(file: string, options: Record<string, string>, blockBytes: number, window: number): Promise<Buffer> {
  const one = client()
  one.send(read(file, options), port)
  const parts: Uint8Array[] = []
  for (let block = 1; ; ) {
    const { packet, port: tid } = await one.next()
    if (packet.kind === 'oack') one.send(ack(0), tid)
    else if (packet.kind === 'data' && packet.block === (block & 0xffff)) {
      parts.push(packet.bytes)
      const last = packet.bytes.length < blockBytes
      if (last || block % window === 0) one.send(ack(block), tid)
      if (last) return Buffer.concat(parts)
      block++
    } else throw new Error(`got ${packet.kind} instead of block ${block}`)
  }
}

for (const { what, options, blockBytes, window } of [
  { what: 'without options', options: {}, blockBytes: 512, window: 1 },
  { what: 'with large blocks', options: { blksize: '1432', tsize: '0' }, blockBytes: 1432, window: 1 },
  { what: 'with tiny blocks', options: { blksize: '8', windowsize: '64' }, blockBytes: 8, window: 64 },
  { what: 'with a window, as OVMF does', options: { blksize: '1468', windowsize: '4' }, blockBytes: 1468, window: 4 },
])
  test(`a file comes whole ${what}`, async () => {
    expect((await fetchFile('big', options, blockBytes, window)).equals(CONTENT)).toBe(true)
    await expect.poll(() => ended).toMatchObject([{ name: 'big', outcome: 'complete', bytes: CONTENT.length, retries: 0 }])
    expect(closed).toBe(1)
  })

for (const { what, request, answer } of [
  { what: 'an unknown name', request: read('../etc/passwd'), answer: { kind: 'error', code: 1 } },
  { what: 'mode netascii', request: read('big', {}, 'NETASCII'), answer: { kind: 'error', code: 0 } },
  { what: 'a file that cannot be opened', request: read('broken'), answer: { kind: 'error', code: 0 } },
  { what: 'a file that is shorter than it says', request: read('liar'), answer: { kind: 'error', code: 0 } },
  { what: 'a write', request: { ...read('big'), kind: 'write' } as TftpPacket, answer: { kind: 'error', code: 2 } },
])
  test(`${what} is answered with ERROR ${answer.code}, and leaves no transfer`, async () => {
    const one = client()
    one.send(request, port)
    expect((await one.next()).packet).toMatchObject(answer)
    await expect.poll(() => server.counters().running).toBe(0)
  })

test('a stranger gets ERROR 5 and disturbs nothing', async () => {
  const [one, stranger] = [client(), client()]
  one.send(read('short'), port)
  const first = await one.next()
  stranger.send({ kind: 'error', code: 0, message: 'stop' }, first.port)
  stranger.send(ack(1), first.port)
  expect((await stranger.next()).packet).toMatchObject({ kind: 'error', code: 5 })
  one.send(ack(1), first.port)
  expect((await one.next()).packet).toMatchObject({ kind: 'data', block: 2 })
  expect(stranger.inbox).toEqual([]) // an ERROR is never answered
  expect(server.counters().stranger).toBe(2)
})

test('datagrams of 0 and 1 byte to a transfer are counted and passed over', async () => {
  const one = client()
  one.send(read('short'), port)
  const { port: tid } = await one.next()
  one.send(new Uint8Array(0), tid)
  one.send(Uint8Array.of(0), tid)
  one.send(Uint8Array.of(0, 3, 0, 1, 9), tid)
  one.send(ack(1), tid)
  expect((await one.next()).packet).toMatchObject({ kind: 'data', block: 2 })
  expect(server.counters().malformed).toBe(3)
})

test('a request repeated from the same port begins no second transfer; another request from it does', async () => {
  const one = client()
  one.send(read('short', { tsize: '0' }), port)
  one.send(read('short', { tsize: '0' }), port)
  const first = await one.next()
  one.send(read('short', { blksize: '1024' }), port)
  const second = await one.next()
  expect([first.packet, second.packet].map((packet) => packet.kind === 'oack' && [...packet.options.keys()])).toEqual([
    ['tsize'],
    ['blksize'],
  ])
  expect(server.counters()).toMatchObject({ repeated: 1, transfers: 2 })
  await expect.poll(() => server.counters().running).toBe(1)
})

test('firmware that only wanted the size is told apart', async () => {
  const one = client()
  one.send(read('big', { tsize: '0' }), port)
  const { packet, port: tid } = await one.next()
  expect(packet.kind === 'oack' && packet.options.get('tsize')).toBe('200000')
  one.send({ kind: 'error', code: 8, message: 'User aborted the transfer' }, tid)
  await expect.poll(() => ended).toMatchObject([{ outcome: 'tsize-only', bytes: 0 }])
})

test('one client gets eight transfers at a time; what is too much is dropped', async () => {
  const one = client()
  const many = Array.from({ length: 12 }, () => client())
  for (const each of many) each.send(read('big'), port)
  await expect.poll(() => server.counters()).toMatchObject({ running: 8, busy: 4 })
  one.send(read('nothing'), port)
  await expect.poll(() => server.counters().busy).toBe(5)
})

test('twenty thousand junk datagrams are counted and leave no socket behind', async () => {
  const before = readdirSync('/proc/self/fd').length
  const one = client()
  let seed = 11
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed >>> 8
  }
  for (let round = 0; round < 20_000; round++) {
    const junk = Uint8Array.from({ length: random() % 64 }, (_, at) => (at === 0 ? 0 : at === 1 ? random() % 7 : random() & 127))
    one.send(round % 5 === 0 ? read(`junk${round}`) : junk, port)
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const good = client()
  const asking = setInterval(() => good.send(read('short'), port), 50) // the flood fills the socket's buffer, so some are lost
  const { port: tid } = await good.next()
  clearInterval(asking)
  good.send(ack(1), tid)
  good.send(ack(2), tid)
  await expect.poll(() => ended).toMatchObject([{ outcome: 'complete' }])
  expect(server.counters().running).toBe(0)
  expect(server.counters().malformed).toBeGreaterThan(1000)
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 2)
})

test('stop ends running transfers and closes their files', async () => {
  const one = client()
  one.send(read('big'), port)
  await one.next()
  await server.stop()
  expect(ended).toMatchObject([{ outcome: 'error' }])
  expect(closed).toBe(1)
})

test('an address that is not there yet is listened on later, and told once', async () => {
  const lines: string[] = []
  const told = { ...silentLog, warn: (event: string) => void lines.push(event) }
  const other = createTftpServer({ clock: systemClock, log: told, port: 0, find })
  other.apply([LOOPBACK, Ipv4.parse('203.0.113.77')])
  await other.start()
  expect(other.bound().map(({ address }) => address)).toEqual([LOOPBACK])
  expect(lines).toEqual(['tftp.listen_failed'])
  other.apply([])
  await expect.poll(() => other.bound()).toEqual([])
  await other.stop()
})
