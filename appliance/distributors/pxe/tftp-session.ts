import { createSocket, type Socket } from 'node:dgram'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { decodeTftp, encodeTftp, TFTP_ERROR } from '@bridgehead/shared/wire/tftp.ts'
import type { TftpTerms } from '@bridgehead/shared/wire/tftp-options.ts'
import { createBlocks } from './tftp-blocks.ts'
import type { TftpFile } from './tftp-files.ts'
import { beginTransfer, type Input, type Outcome, type Send, type Step, stepTransfer, type Transfer } from './tftp-transfer.ts'

/** The other side's transfer identifier (RFC 1350 §4). */
export interface Peer {
  address: Ipv4
  port: number
}

export interface SessionDeps {
  clock: Clock
  file: TftpFile
  terms: TftpTerms
  /** The appliance's address that was asked; answers leave from it. */
  local: Ipv4
  peer: Peer
  count(counter: 'malformed' | 'stranger' | 'socket_error'): void
}

export interface SessionEnd {
  outcome: Outcome
  /** Bytes of the file that the client has confirmed. */
  bytes: number
  retries: number
  /** What failed at this end, when something did. */
  cause?: unknown
}

export interface Session {
  /** Resolves once the transfer is over, its socket and file closed. Never rejects. */
  readonly ended: Promise<SessionEnd>
  /** True while the client has sent nothing but its request. */
  untouched(): boolean
  cancel(): void
}

/** Runs one transfer on a socket of its own. */
export function startSession({ clock, file, terms, local, peer, count }: SessionDeps): Session {
  const { promise: ended, resolve } = Promise.withResolvers<SessionEnd>()
  const socket = createUdpSocket()
  const blocks = createBlocks(file, terms.blockBytes)
  let transfer: Transfer | undefined
  let wanted: { first: number; last: number } | undefined
  let timer: { at: number; cancel: () => void } | undefined
  let over = false

  const send = (packet: Uint8Array, to: Peer) => {
    if (!over) socket.send(packet, to.port, to.address) // a failure is a loss: the timer sees to it
  }
  const sendError = (code: number, message: string, to: Peer) => send(encodeTftp({ kind: 'error', code, message }), to)

  const finish = (outcome: Outcome, cause?: unknown) => {
    if (over) return
    over = true
    timer?.cancel()
    const bytes = transfer ? Math.min(transfer.acked * terms.blockBytes, file.size) : 0
    const end = { outcome, bytes, retries: transfer?.retries ?? 0, ...(cause === undefined ? {} : { cause }) }
    socket.close(() =>
      file.close().then(
        () => resolve(end),
        (error: unknown) => resolve({ ...end, cause: cause ?? error }),
      ),
    )
  }
  const fail = (cause: unknown) => {
    sendError(TFTP_ERROR.undefined, 'the file could not be read', peer)
    finish('error', cause)
  }

  /** Sends what is wanted as far as it is in memory, and comes back for the rest once it was read. */
  const pump = () => {
    while (wanted && !over) {
      const packet = blocks.packet(wanted.first)
      if (!packet) {
        blocks.load(wanted.first).then(pump, fail)
        return
      }
      send(packet, peer)
      blocks.advance(wanted.first, (transfer?.acked ?? 0) + 1)
      wanted = wanted.first < wanted.last ? { first: wanted.first + 1, last: wanted.last } : undefined
    }
  }
  const perform = (what: Send) => {
    if (what.kind === 'oack') return send(encodeTftp({ kind: 'oack', options: terms.accepted }), peer)
    const idle = wanted === undefined
    wanted = { first: what.first, last: what.last }
    if (idle) pump() // else a read is under way, which goes on with the newest wish
  }
  const take = (step: Step) => {
    transfer = step.transfer
    if (step.end) return finish(step.end)
    if (step.send) perform(step.send)
    if (!over) arm(step.transfer.deadline)
  }
  /** A deadline moves with every ACK, so a timer that is early is left alone: it looks again when it fires. */
  const arm = (deadline: number) => {
    if (timer && timer.at <= deadline) return
    timer?.cancel()
    const cancel = clock.after(Math.max(1, deadline - clock.now()), () => {
      timer = undefined
      input({ kind: 'clock' })
    })
    timer = { at: deadline, cancel }
  }
  const input = (what: Input) => {
    if (transfer && !over) take(stepTransfer(transfer, what, clock.now()))
  }

  socket.on('error', (error) => {
    count('socket_error')
    if (!transfer) finish('error', error) // the address went away before the first packet
  })
  socket.on('message', (bytes, from) => {
    if (from.port !== peer.port || from.address !== peer.address) {
      count('stranger')
      // RFC 1350 §4: tell the stranger, leave the transfer alone; but never answer an ERROR, or two servers might talk for ever
      if (bytes[1] !== 5)
        sendError(TFTP_ERROR.unknownTid, 'this transfer belongs to another client', { address: from.address as Ipv4, port: from.port })
      return
    }
    const packet = decodeOr(bytes, () => count('malformed'))
    if (packet?.kind === 'ack') input(packet)
    else if (packet?.kind === 'error') input({ kind: 'error' })
    else if (packet) count('malformed')
  })
  socket.bind({ address: local, port: 0 }, () => take(beginTransfer({ size: file.size, terms, now: clock.now() })))

  return { ended, untouched: () => transfer === undefined || !transfer.alive, cancel: () => finish('error', new Error('cancelled')) }
}

/** Addresses are numbers here, so the look-up that `send` makes for every packet can be left out. */
export function createUdpSocket(): Socket {
  return createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) })
}

/** The packet, or undefined (and `onBad` called) when the bytes form none. */
export function decodeOr(bytes: Uint8Array, onBad: () => void) {
  try {
    return decodeTftp(bytes)
  } catch {
    onBad()
    return undefined
  }
}
