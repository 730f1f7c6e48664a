import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Who may use the local page: whoever typed the credential from the screen. All in memory; a restart ends every session. */
export interface Guard {
  /** The new session's secret; or why not. `from` is the client's address. */
  open(credential: string, from: string, now: number): { session: string } | { refused: 'wrong' | 'too-many' }
  isOpen(session: string | undefined, now: number): boolean
  close(session: string | undefined): void
}

const SESSION_MS = 30 * 60_000
const WINDOW_MS = 60_000
const TRIES_PER_CLIENT = 5
/** Of all clients together: an attacker may own many addresses. 60 bits at this pace are safe for ages. */
const TRIES = 30
const SESSIONS = 16

export function createGuard(credential: string): Guard {
  const right = digest(plain(credential))
  const sessions = new Map<string, number>()
  let tries: { at: number; from: string }[] = []
  return {
    open(typed, from, now) {
      tries = tries.filter((one) => one.at > now - WINDOW_MS && one.at <= now)
      if (tries.length >= TRIES || tries.filter((one) => one.from === from).length >= TRIES_PER_CLIENT) return { refused: 'too-many' }
      if (!timingSafeEqual(digest(plain(typed)), right)) {
        tries.push({ at: now, from })
        return { refused: 'wrong' }
      }
      for (const [one, until] of sessions) if (until <= now || sessions.size >= SESSIONS) sessions.delete(one)
      const session = randomBytes(32).toString('base64url')
      sessions.set(session, now + SESSION_MS)
      return { session }
    },
    isOpen(session, now) {
      const until = session === undefined ? undefined : sessions.get(session)
      return until !== undefined && until > now && until <= now + SESSION_MS
    },
    close: (session) => void (session !== undefined && sessions.delete(session)),
  }
}

/** Letters that nobody confuses (Crockford's, without 0 and 1 too). */
const LETTERS = 'abcdefghjkmnpqrstvwxyz23456789'

/** Twelve letters in groups of four, about 59 bits: `abcd-efgh-jkmn`. */
export function newCredential(random: (bytes: number) => Uint8Array = randomBytes): string {
  let text = ''
  while (text.length < 12) {
    const byte = random(1)[0] ?? 0
    if (byte < LETTERS.length * 8) text += LETTERS[byte % LETTERS.length] // the rest would favour the first letters
  }
  return text.replace(/.{4}(?=.)/g, '$&-')
}

/** People leave the dashes away, or type capitals. */
const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
const digest = (text: string) => createHash('sha256').update(text).digest()
