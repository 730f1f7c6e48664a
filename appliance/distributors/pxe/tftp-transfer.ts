import type { TftpTerms } from '@bridgehead/shared/wire/tftp-options.ts'

/** One read transfer as its sender sees it. Blocks are counted from 1 without rollover; only the wire cuts them to 16 bits. */
export interface Transfer {
  readonly phase: 'oack' | 'data'
  readonly blocks: number
  readonly window: number
  /** Highest block that the client has in order. */
  readonly acked: number
  /** Highest block sent so far. */
  readonly sent: number
  /** Retransmissions since the last progress, and in all. */
  readonly tries: number
  readonly retries: number
  /** How many steps of progress must come before a repeated ACK is believed again. */
  readonly mistrust: number
  /** Time until the first retransmission, while nothing better was measured. */
  readonly baseMs: number
  /** True once anything came back: until then the source address may be forged, and less is spent on it. */
  readonly alive: boolean
  /** When the awaited ACK counts as lost (epoch ms). */
  readonly deadline: number
  /** When the newest window left (epoch ms). */
  readonly sentAt: number
  /** Smoothed time from a window to its ACK. Means nothing before the client is `alive`. */
  readonly rttMs: number
  readonly sizeAsked: boolean
}

/** What the shell shall send: the OACK, or blocks `first` to `last`. */
export type Send = { kind: 'oack' } | { kind: 'data'; first: number; last: number }

export type Outcome = 'complete' | 'tsize-only' | 'timeout' | 'error'

/** `end` is set once the transfer is over; then nothing is to be sent. */
export interface Step {
  transfer: Transfer
  send?: Send | undefined
  end?: Outcome | undefined
}

export type Input =
  /** `block` as on the wire, 0 to 65535. */
  { kind: 'ack'; block: number } | { kind: 'error' } | { kind: 'clock' }

/**
 * The first wait is the client's `timeout` option or 1 s; once round trips are measured it is eight of them, if that is less, but at
 * least 250 ms. So a lost packet costs a quarter of a second also for curl, which asks for 5 s, and for a Pi, which gives up after one.
 */
export const RETRANSMIT = { firstMs: 1000, leastMs: 250, mostMs: 4000, tries: 8, triesUnanswered: 4 } as const

/** The number of blocks is size / block size, plus the short (perhaps empty) one that tells the end (RFC 1350 §6). */
export function beginTransfer({ size, terms, now }: { size: number; terms: TftpTerms; now: number }): Step {
  const transfer: Transfer = {
    phase: terms.accepted.size > 0 ? 'oack' : 'data',
    blocks: Math.floor(size / terms.blockBytes) + 1,
    window: terms.window,
    acked: 0,
    sent: 0,
    tries: 0,
    retries: 0,
    mistrust: 0,
    baseMs: terms.timeoutMs ?? RETRANSMIT.firstMs,
    alive: false,
    deadline: now + (terms.timeoutMs ?? RETRANSMIT.firstMs),
    sentAt: now,
    rttMs: 0,
    sizeAsked: terms.accepted.has('tsize'),
  }
  return transfer.phase === 'oack' ? { transfer, send: { kind: 'oack' } } : sendWindow(transfer, now)
}

/** Pure: what RFC 1350, 2347 and 7440 answer to one input at `now` (epoch ms). */
export function stepTransfer(transfer: Transfer, input: Input, now: number): Step {
  switch (input.kind) {
    case 'error':
      // firmware asks for the size alone and ends the transfer with an ERROR once it has the OACK (seen from OVMF and AAVMF)
      return { transfer, end: transfer.acked === 0 && transfer.sizeAsked ? 'tsize-only' : 'error' }
    case 'clock':
      return onClock(transfer, now)
    case 'ack':
      return onAck(transfer, input.block, now)
  }
}

function onAck(transfer: Transfer, wireBlock: number, now: number): Step {
  if (transfer.phase === 'oack') {
    if (wireBlock !== 0) return { transfer }
    return sendWindow({ ...transfer, phase: 'data', tries: 0, alive: true, rttMs: measured(transfer, now) }, now)
  }
  const ahead = (wireBlock - transfer.acked) & 0xffff // 16-bit distance: survives the rollover to 0
  const block = transfer.acked + ahead
  if (block > transfer.sent) return { transfer } // older than what is acknowledged, or never sent
  if (ahead === 0) return onRepeatedAck(transfer, now)
  // an ACK inside the window says that the block behind it was lost: go on from there (RFC 7440 §4). Blocks still in flight may
  // bring the same ACK again, which then says nothing new.
  const gap = block < transfer.sent
  const next = {
    ...transfer,
    acked: block,
    tries: 0,
    alive: true,
    rttMs: measured(transfer, now),
    retries: transfer.retries + (gap ? 1 : 0),
    mistrust: gap ? 1 : Math.max(0, transfer.mistrust - 1),
  }
  return block >= transfer.blocks ? { transfer: next, end: 'complete' } : sendWindow(next, now)
}

/**
 * In lock-step a repeated ACK is never answered, or every later block would go out twice (the sorcerer's apprentice, RFC 1123 §4.2.3.1).
 * With a window it may say that the window's first block was lost; that is believed once, and then not before two windows got through.
 */
function onRepeatedAck(transfer: Transfer, now: number): Step {
  if (transfer.window === 1 || transfer.mistrust > 0 || transfer.tries > 0) return { transfer }
  return sendWindow({ ...transfer, mistrust: 2, tries: 1, retries: transfer.retries + 1 }, now)
}

function onClock(transfer: Transfer, now: number): Step {
  if (now < transfer.deadline) return { transfer }
  const limit = transfer.alive ? RETRANSMIT.tries : RETRANSMIT.triesUnanswered
  if (transfer.tries >= limit) return { transfer, end: 'timeout' }
  const next = { ...transfer, tries: transfer.tries + 1, retries: transfer.retries + 1 }
  if (next.phase === 'data') return sendWindow(next, now)
  return { transfer: { ...next, deadline: now + waitMs(next), sentAt: now }, send: { kind: 'oack' } }
}

function sendWindow(transfer: Transfer, now: number): Step {
  const first = transfer.acked + 1
  const last = Math.min(transfer.acked + transfer.window, transfer.blocks)
  const next = { ...transfer, sent: Math.max(transfer.sent, last), deadline: now + waitMs(transfer), sentAt: now }
  return { transfer: next, send: { kind: 'data', first, last } }
}

/** Karn's rule: what was sent twice measures nothing. */
function measured(transfer: Transfer, now: number): number {
  if (transfer.tries > 0) return transfer.rttMs
  const sample = now - transfer.sentAt
  return transfer.alive ? transfer.rttMs * 0.875 + sample * 0.125 : sample
}

function waitMs({ alive, rttMs, baseMs, tries }: Transfer): number {
  const first = alive ? Math.min(baseMs, Math.max(RETRANSMIT.leastMs, rttMs * 8)) : baseMs
  return Math.min(first * 2 ** tries, Math.max(RETRANSMIT.mostMs, first))
}
