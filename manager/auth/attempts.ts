import type { Clock } from '@bridgehead/shared/clock.ts'

/** Counts wrong passwords, so that nobody tries a whole dictionary. */
export interface Attempts {
  /** Seconds until the next try; 0: now. */
  waitSeconds(account: string): number
  failed(account: string): void
  succeeded(account: string): void
}

const FREE_TRIES = 10
const WINDOW_MS = 60_000
/** Accounts remembered at once; names that nobody has count too. */
const MAX_ACCOUNTS = 10_000

/** After ten wrong passwords an account rests until a minute has passed since the last one. */
export function createAttempts({ clock }: { clock: Clock }): Attempts {
  const failures = new Map<string, { count: number; until: number }>()
  const found = (account: string) => {
    const entry = failures.get(account)
    return entry && entry.until > clock.now() ? entry : undefined
  }
  return {
    waitSeconds(account) {
      const entry = found(account)
      return entry && entry.count >= FREE_TRIES ? Math.ceil((entry.until - clock.now()) / 1000) : 0
    },
    failed(account) {
      const count = (found(account)?.count ?? 0) + 1
      failures.delete(account) // to the end of the order, which is by age
      failures.set(account, { count, until: clock.now() + WINDOW_MS })
      const oldest = failures.keys().next().value
      if (failures.size > MAX_ACCOUNTS && oldest !== undefined) failures.delete(oldest)
    },
    succeeded: (account) => void failures.delete(account),
  }
}
