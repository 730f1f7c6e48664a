/** Exit codes: done, failed, and what was typed cannot be (nothing was asked for, nothing changed). */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const

/** What was asked for was not done. The message says what is wrong and where, `next` what to do now. */
export class Failure extends Error {
  readonly exitCode: 1 | 2
  readonly code: string
  readonly next: readonly string[]
  /** Lines that belong under the message as they are, such as a marked place. */
  readonly details: readonly string[]
  constructor(
    message: string,
    more: { code?: string; usage?: boolean; next?: readonly string[]; details?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause })
    this.exitCode = more.usage ? EXIT.usage : EXIT.failed
    this.code = more.code ?? 'failed'
    this.next = more.next ?? []
    this.details = more.details ?? []
  }
}

/** The text, with a mark under the character at `at`. */
export function marked(text: string, at: number): string[] {
  return [`  ${text}`, `  ${' '.repeat([...text.slice(0, at)].length)}^`]
}
