import type { TftpOptions } from './tftp.ts'

/** How one transfer runs, once both sides know each other's options. */
export interface TftpTerms {
  /** Bytes of data in every block but the last (RFC 2348). */
  blockBytes: number
  /** Blocks sent before an ACK is awaited (RFC 7440). */
  window: number
  /** Retransmission time that the client asked for (RFC 2349). */
  timeoutMs?: number | undefined
  /** What the OACK says. Empty: send no OACK, begin with block 1. */
  accepted: TftpOptions
}

export interface TftpLimits {
  maxBlockBytes: number
  maxWindow: number
  maxTimeoutSeconds: number
}

/**
 * 1468 + 4 + UDP 8 + IPv4 20 = 1500: a block never leaves in fragments, which several PXE ROMs cannot join. 64 blocks of that size fit
 * into the receive buffer that Linux gives a socket (212,992 bytes with its own overhead counted). RFC 2349 lets a client ask for 255 s, which a silent one would hold a socket for, many times.
 */
export const TFTP_LIMITS: TftpLimits = { maxBlockBytes: 1468, maxWindow: 64, maxTimeoutSeconds: 10 }

/**
 * Chooses the terms of a read request. Larger wishes are lowered to the limits, as RFC 2348 and RFC 7440 allow; an option that is
 * unknown, malformed or out of its range is left out of the answer (RFC 2347: ignored, never an error).
 */
export function negotiateTftp(asked: TftpOptions, size: number, limits: TftpLimits = TFTP_LIMITS): TftpTerms {
  const terms: TftpTerms = { blockBytes: 512, window: 1, accepted: new Map() }
  const accepted = new Map<string, string>()
  for (const [name, text] of asked) {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : undefined
    if (value === undefined) continue
    if (name === 'blksize' && value >= 8 && value <= 65_464) {
      terms.blockBytes = Math.min(value, limits.maxBlockBytes)
      accepted.set(name, String(terms.blockBytes))
    } else if (name === 'windowsize' && value >= 1 && value <= 65_535) {
      terms.window = Math.min(value, limits.maxWindow)
      accepted.set(name, String(terms.window))
    } else if (name === 'timeout' && value >= 1 && value <= limits.maxTimeoutSeconds) {
      terms.timeoutMs = value * 1000
      accepted.set(name, text)
    } else if (name === 'tsize') accepted.set(name, String(size)) // any value: some clients send what they have room for
  }
  return { ...terms, accepted }
}
