import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** What tells one boot of this machine from the next. */
export interface Machine {
  /** Another one at each boot. */
  readonly bootId: string
  /** Milliseconds since the machine was started: goes on while the daemon is started anew, and knows nothing of wrong clocks. */
  uptimeMs(): number
}

export const thisMachine = (): Machine => ({
  bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  uptimeMs: () => uptime() * 1000,
})
