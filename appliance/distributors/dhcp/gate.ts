import type { Clock } from '@bridgehead/shared/clock.ts'

/**
 * Whether this LAN may be served. `probing`: not answered yet, listening for another server. `blocked`: there is one, asked for again
 * every minute. `open`: serving; it still looks around every five minutes.
 */
export interface Gate {
  readonly state: 'probing' | 'blocked' | 'open'
  /** `recent`: served a moment ago, before a restart. Opens at once and probes beside. */
  start(recent: boolean): void
  stop(): void
  /** Another server was heard on this LAN. */
  heard(server: number): void
  /** True for the transaction id of a probe that is out. */
  probes(xid: number): boolean
  /** Probes soon, unless it just did: something was heard that no LAN could be named for. */
  suspect(): void
}

export interface GateDeps {
  clock: Clock
  random: () => number
  probeMs: number
  sendProbe(xid: number): void
  /** Called when the gate opens, and (`again`) whenever a probe found nobody. */
  opened(again: boolean): void
  /** `blocked` when it keeps us from serving. */
  found(server: number, blocked: boolean): void
}

const LOOK_AROUND_MS = 5 * 60_000
const BLOCKED_MS = 60_000

export function createGate({ clock, random, probeMs, sendProbe, opened, found }: GateDeps): Gate {
  let state: Gate['state'] = 'probing'
  let xid: number | undefined
  let answered = false
  const timers = new Set<() => void>()
  const later = (ms: number, task: () => void) => {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel)
      task()
    })
    timers.add(cancel)
  }
  const cancelAll = () => {
    for (const cancel of timers) cancel()
    timers.clear()
  }
  const round = () => {
    cancelAll()
    const mine = Math.floor(random() * 0x1_0000_0000)
    xid = mine
    answered = false
    sendProbe(mine)
    later(probeMs / 3, () => sendProbe(mine)) // one may be lost; dnsmasq answers after 3 s of ping
    later(probeMs, () => {
      xid = undefined
      if (!answered) {
        const again = state === 'open'
        state = 'open'
        opened(again)
      }
      later(state === 'open' ? LOOK_AROUND_MS : BLOCKED_MS, round)
    })
  }
  return {
    get state() {
      return state
    },
    start(recent) {
      if (recent) {
        state = 'open'
        opened(false)
      }
      round()
    },
    stop: cancelAll,
    heard(server) {
      answered = true
      if (state === 'probing') state = 'blocked'
      found(server, state === 'blocked')
    },
    probes: (other) => other === xid,
    suspect() {
      if (xid === undefined) round()
    },
  }
}
