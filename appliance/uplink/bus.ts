/** One order as it lies in the site's stream. `jws` is undefined when the entry was trimmed away under a pending read. */
export interface BusCommand {
  entry: string
  jws: string | undefined
}

/**
 * The link's view of Redis: one session, never reconnected. Every call rejects once the session is broken, and the link then
 * throws it away; a new one starts from nothing, so that no request of a dead connection can linger in a queue.
 */
export interface Bus {
  readState(): Promise<string | undefined>
  /** Calls back on each nudge, until the session ends. */
  onNudge(listener: () => void): Promise<void>
  /** Adds facts in order; rejects unless Redis took all. */
  sendEvents(events: readonly string[]): Promise<void>
  sendPresence(json: string, expireSeconds: number): Promise<void>
  /**
   * Waits up to `blockMs` for orders. `pending`: those read before and never settled (after a crash), without waiting.
   * `lost` says that the server had no group for us (it lost its memory); the group has been made anew.
   */
  readCommands(which: 'pending' | 'new', blockMs: number): Promise<{ commands: BusCommand[]; lost: boolean }>
  /** Acknowledges and deletes. */
  settleCommands(entries: readonly string[]): Promise<void>
  /** Drops the connections at once; pending calls reject. */
  close(): void
}

/** Opens a session; rejects when Redis cannot be reached or refuses the site's secret. */
export type ConnectBus = (signal: AbortSignal) => Promise<Bus>
