/** Bytes that do not form the message they should. `offset` is where reading stopped, counted from the message's first byte. */
export class WireError extends Error {
  readonly code = 'wire'
  readonly offset: number
  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`)
    this.offset = offset
  }
}
