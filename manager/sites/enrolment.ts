import { createHash } from 'node:crypto'
import type { EnrolRequest } from '@bridgehead/shared/model/enrolment.ts'

/** What is kept of a box that a site is bound to. */
export type BoundBox = Pick<EnrolRequest, 'wireguardKey' | 'signingKey' | 'hardware' | 'version'>

/** The keys that make a box itself. */
export interface BoxKeys {
  wireguardKey: string
  /** The `x` of its Ed25519 key. */
  signingKey: string
}

export interface TokenFacts {
  expiresAt: number
  spentBy?: BoxKeys | undefined
}

export type EnrolmentDecision =
  | { kind: 'refuse'; code: 'token-unknown' | 'token-expired'; why: string }
  /** First use: the site is bound to this box, in place of any other. */
  | { kind: 'bind' }
  /** The same box asks again, because the answer was lost: the same answer, with a fresh secret. */
  | { kind: 'repeat' }
  /** Another box came with a spent token; a person decides. */
  | { kind: 'pending' }

/** What an enrolment request gets. Pure. `bound`: the box that holds the token's site now. */
export function decideEnrolment(token: TokenFacts | undefined, bound: BoxKeys | undefined, box: BoxKeys, now: number): EnrolmentDecision {
  if (!token)
    return { kind: 'refuse', code: 'token-unknown', why: 'this manager gave out no such token, or its site was deleted; make a new one' }
  if (token.spentBy) return sameBox(token.spentBy, box) && bound && sameBox(bound, box) ? { kind: 'repeat' } : { kind: 'pending' }
  if (token.expiresAt <= now)
    return { kind: 'refuse', code: 'token-expired', why: `the token expired at ${new Date(token.expiresAt).toISOString()}; make a new one` }
  return { kind: 'bind' }
}

export function boxKeys(request: Pick<EnrolRequest, 'wireguardKey' | 'signingKey'>): BoxKeys {
  return { wireguardKey: request.wireguardKey, signingKey: request.signingKey.x }
}

/** `K7QF-2M9D`: what a person compares between the box and the console. The same for the same keys. */
export function pendingCode(box: BoxKeys): string {
  const digest = createHash('sha256').update(`${box.wireguardKey} ${box.signingKey}`).digest()
  const letters = [...digest.subarray(0, 8)].map((byte) => CODE_ALPHABET[byte % CODE_ALPHABET.length]).join('')
  return `${letters.slice(0, 4)}-${letters.slice(4)}`
}
/** Without 0 O 1 I, which people mix up: 32 letters. */
export const CODE_ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'

function sameBox(a: BoxKeys, b: BoxKeys): boolean {
  return a.wireguardKey === b.wireguardKey && a.signingKey === b.signingKey
}
