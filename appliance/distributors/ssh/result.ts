import type { Outcome } from './session.ts'

/** Why the appliance itself ended a run. */
export type EndedBy = 'timeout' | 'cancel' | 'stop'

/** `exitCode` is null when nobody knows or there is none; then `error` says why. */
export interface Result {
  exitCode: number | null
  error?: string
}

export const CANCELLED_BEFORE = 'cancelled before the script was sent'
export const RESTARTED = 'the appliance restarted while this ran; the script may have run in part'

export const NOT_SENT: Outcome = { kind: 'broke', why: 'ended before the script was sent' }

/** What is told of a script that was sent, or was about to be: it may have run in part unless it says otherwise. */
export function resultOf(outcome: Outcome, endedBy: EndedBy | undefined, ip: string, timeoutMs: number): Result {
  if (outcome.kind === 'exit') return { exitCode: outcome.exitCode, ...(endedBy ? { error: REASONS[endedBy](timeoutMs) } : {}) }
  if (endedBy) return { exitCode: null, error: REASONS[endedBy](timeoutMs) }
  if (outcome.kind === 'signal') return { exitCode: null, error: `the script was ended by signal ${outcome.signal}` }
  return {
    exitCode: null,
    error: `the connection to ${ip} broke (${outcome.why}); the script may have run in part, so look at the host before running it again`,
  }
}

const REASONS: Record<EndedBy, (timeoutMs: number) => string> = {
  timeout: (timeoutMs) =>
    `ended after its ${Math.round(timeoutMs / 1000)} s; give it more time, or look at the output for what it waits for`,
  cancel: () => 'cancelled while it ran; the script may have run in part',
  stop: () => RESTARTED,
}

/** What is told of a script that was never sent; `why` is the last trouble on the way to the host. */
export function notSent(endedBy: EndedBy | undefined, timeoutMs: number, why: string): Result {
  return {
    exitCode: null,
    error: endedBy === 'timeout' ? `not reached within ${Math.round(timeoutMs / 1000)} s: ${why}` : CANCELLED_BEFORE,
  }
}
