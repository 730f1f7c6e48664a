import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { encodeTftp, TFTP_ERROR, type TftpOptions, type TftpPacket } from '@bridgehead/shared/wire/tftp.ts'
import { negotiateTftp } from '@bridgehead/shared/wire/tftp-options.ts'
import { createListeners, type Listener } from './listeners.ts'
import { limitedLog } from './log-limit.ts'
import type { TftpFile } from './tftp-files.ts'
import { createUdpSocket, decodeOr, type Peer, type Session, startSession } from './tftp-session.ts'
import type { Outcome } from './tftp-transfer.ts'

export interface TftpDeps {
  clock: Clock
  log: Log
  /** 69, or another for tests (0: any free one, see `bound`). */
  port: number
  /** The bytes behind a name as the client wrote it, or undefined (ERROR 1). The server closes what it got. */
  find(name: string, client: Ipv4): Promise<TftpFile | undefined>
  /** Told after each transfer that was begun. `bytes` is what the client confirmed; `ms` counts from the request. */
  done?(transfer: { name: string; client: Ipv4; bytes: number; ms: number; retries: number; outcome: Outcome }): void
}

export interface TftpServer extends Service {
  /** Level-triggered: listens on exactly these addresses from now on. Running transfers go on. */
  apply(addresses: readonly Ipv4[]): void
  counters(): Record<string, number>
  bound(): { address: Ipv4; port: number }[]
}

/** Each transfer costs a socket and two chunks of memory; a rack of machines that start together fits, a flood does not. */
const MAX_TRANSFERS = 256
const MAX_TRANSFERS_PER_CLIENT = 8
/** RFC 2347 allows a request 512 bytes; twice that is let pass. */
const MAX_REQUEST_BYTES = 1024
const LOG_LINES_PER_MINUTE = 300

/** The port that was asked: its address, and a way to answer from it. */
interface Door {
  local: Ipv4
  send(packet: TftpPacket, to: Peer): void
}

interface Running {
  session: Session
  client: Ipv4
  request: string
}

/** A read-only TFTP server (RFC 1350, 2347-2349, 7440) over names, not paths. */
export function createTftpServer({ clock, log: fullLog, port, find, done }: TftpDeps): TftpServer {
  const log = limitedLog(fullLog, clock, LOG_LINES_PER_MINUTE)
  const running = new Map<string, Running>()
  const asking = new Map<string, Ipv4>() // requests whose file is being looked for
  const counts = {
    requests: 0,
    transfers: 0,
    malformed: 0,
    write_refused: 0,
    mode_refused: 0,
    not_found: 0,
    busy: 0,
    repeated: 0,
    stranger: 0,
    socket_error: 0,
    find_failed: 0,
  }

  const onPacket = (door: Door, bytes: Uint8Array, peer: Peer) => {
    const packet = bytes.length > MAX_REQUEST_BYTES ? undefined : decodeOr(bytes, () => {})
    if (packet?.kind === 'read' && packet.mode === 'octet') return void onRead(door, peer, packet.file, packet.options)
    if (packet?.kind === 'read') {
      counts.mode_refused++
      const message = `only mode octet (binary) is served, not ${packet.mode.slice(0, 20)}`
      return door.send({ kind: 'error', code: TFTP_ERROR.undefined, message }, peer)
    }
    if (packet?.kind === 'write') {
      counts.write_refused++
      return door.send({ kind: 'error', code: TFTP_ERROR.accessViolation, message: 'this server is read-only' }, peer)
    }
    counts.malformed++ // DATA, ACK, ERROR and OACK too: they belong to a transfer's own port
  }

  const onRead = async (door: Door, peer: Peer, name: string, options: TftpOptions) => {
    counts.requests++
    const key = `${door.local} ${peer.address}:${peer.port}`
    const request = JSON.stringify([name, ...options])
    if (asking.has(key) || isRepeat(running.get(key), request)) return void counts.repeated++
    const full = running.size + asking.size >= MAX_TRANSFERS || transfersOf(peer.address) >= MAX_TRANSFERS_PER_CLIENT
    if (full) return void counts.busy++ // it asks again
    const began = clock.now()
    asking.set(key, peer.address)
    try {
      const file = await find(name, peer.address)
      if (stopped) return void (await file?.close())
      if (file) return begin(file, { name, options, local: door.local, peer, key, request, began })
      counts.not_found++
      log.info('tftp.not_found', { file: name, client: peer.address })
      door.send({ kind: 'error', code: TFTP_ERROR.notFound, message: 'no such file here' }, peer)
    } catch (error) {
      counts.find_failed++
      log.error('tftp.find_failed', { file: name, client: peer.address, error })
      door.send({ kind: 'error', code: TFTP_ERROR.undefined, message: 'the file could not be opened' }, peer)
    } finally {
      asking.delete(key)
    }
  }

  const begin = (
    file: TftpFile,
    {
      name,
      options,
      local,
      peer,
      key,
      request,
      began,
    }: { name: string; options: TftpOptions; local: Ipv4; peer: Peer; key: string; request: string; began: number },
  ) => {
    counts.transfers++
    running.get(key)?.session.cancel() // a ROM that always asks from one port begins anew
    const terms = negotiateTftp(options, file.size)
    const session = startSession({ clock, file, terms, local, peer, count: (counter) => counts[counter]++ })
    const entry = { session, client: peer.address, request }
    running.set(key, entry)
    session.ended.then(({ outcome, bytes, retries, cause }) => {
      if (running.get(key) === entry) running.delete(key)
      const facts = { client: peer.address, bytes, ms: clock.now() - began, retries }
      const good = outcome === 'complete' || outcome === 'tsize-only'
      log[good ? 'info' : 'warn'](`tftp.${outcome.replace('-', '_')}`, {
        file: name,
        ...facts,
        ...(cause === undefined ? {} : { error: cause }),
      })
      done?.({ name, ...facts, outcome })
    })
  }

  const transfersOf = (client: Ipv4) => {
    let count = 0
    for (const one of running.values()) if (one.client === client) count++
    for (const one of asking.values()) if (one === client) count++
    return count
  }

  let stopped = false
  const listeners = createListeners({
    name: 'tftp',
    port,
    clock,
    log: fullLog,
    open: (address, onLost) => openDoor({ address, port, onPacket, onLost }),
  })
  return {
    name: 'tftp',
    start() {
      stopped = false
      return listeners.start()
    },
    apply: listeners.apply,
    bound: listeners.bound,
    counters: () => ({ ...counts, running: running.size }),
    async stop() {
      stopped = true
      await listeners.stop()
      const left = [...running.values()].map(({ session }) => session)
      for (const session of left) session.cancel()
      await Promise.all(left.map((session) => session.ended))
    },
  }
}

/** A client that heard nothing sends its request again; the running transfer's own timer answers it. */
function isRepeat(one: Running | undefined, request: string): boolean {
  return one !== undefined && one.request === request && one.session.untouched()
}

function openDoor({
  address,
  port,
  onPacket,
  onLost,
}: {
  address: Ipv4
  port: number
  onPacket(door: Door, bytes: Uint8Array, from: Peer): void
  onLost(error: unknown): void
}): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const socket = createUdpSocket()
    let open = true
    const door: Door = {
      local: address,
      send: (packet, to) => open && socket.send(encodeTftp(packet), to.port, to.address),
    }
    const close = () =>
      new Promise<void>((closed) => {
        if (!open) return closed()
        open = false
        socket.close(() => closed())
      })
    socket.once('error', (error) => close().then(() => reject(error)))
    socket.on('message', (bytes, from) => from.port !== 0 && onPacket(door, bytes, { address: from.address as Ipv4, port: from.port }))
    socket.bind({ address, port }, () => {
      socket.removeAllListeners('error').on('error', onLost)
      resolve({ port: socket.address().port, close })
    })
  })
}
