import type { Clock } from '@bridgehead/shared/clock.ts'

/** Where a command writes. */
export interface Out {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** What a command sees of its process; tests make their own. */
export interface World {
  env: Readonly<Record<string, string | undefined>>
  stdin: AsyncIterable<Uint8Array | string> & { isTTY?: boolean }
  /** Answers, and nothing else. */
  stdout: Out
  /** Progress, questions and errors. */
  stderr: Out
  clock: Clock
  /** Asks on the terminal; `secret` shows nothing of what is typed. Undefined: there is no terminal. */
  ask: ((question: string, options?: { secret?: boolean }) => Promise<string>) | undefined
  /** Aborts at Ctrl-C, from the first call on; before it, Ctrl-C just ends the command. */
  interrupt(): AbortSignal
}
