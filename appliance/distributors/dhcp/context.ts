import { bounds } from '@bridgehead/shared/model/address.ts'
import type { Lan } from '@bridgehead/shared/model/state.ts'
import type { DhcpDeps } from './deps.ts'
import type { Gate } from './gate.ts'
import { createLeaseBook, type LeaseBook } from './leases.ts'
import { type LanFacts, lanFacts } from './reply.ts'
import type { Sockets } from './sockets.ts'

/** One LAN while the daemon runs. */
export interface Segment {
  readonly lan: Lan
  readonly facts: LanFacts
  readonly book: LeaseBook
  readonly first: number
  readonly last: number
  /** Other DHCP servers heard here; times in epoch ms. */
  readonly foreign: Map<number, { heard: number; told: number; blocked: boolean }>
  /** In `serve` mode, while the daemon runs. */
  gate: Gate | undefined
  /** Its book is about to be read again. */
  stale: boolean
  /** When a full pool was last told of, epoch ms. */
  poolFullTold: number
}

export function createSegment(lan: Lan, { store, boot }: Pick<DhcpDeps, 'store' | 'boot'>): Segment {
  const { first, last } = bounds(lan.subnet)
  const book = createLeaseBook(store.db, lan, boot)
  return { lan, facts: lanFacts(lan), book, first, last, foreign: new Map(), gate: undefined, stale: false, poolFullTold: 0 }
}

/** Whether this LAN gets full DHCP now. */
export function isOpen({ lan, gate }: Segment): boolean {
  return lan.mode === 'serve' && gate?.state === 'open'
}

/** What the parts of the running server share. */
export interface Context {
  readonly deps: DhcpDeps
  readonly segments: readonly Segment[]
  readonly counts: ReadonlyMap<string, number>
  count(name: string): void
  /** Runs `task` in the store's transaction of this turn and `then` once it is on disk. `many`: a task of more than one answer. */
  write<T>(segment: Segment, task: () => T, then?: (result: T) => void, many?: boolean): void
  transmit(key: string, bytes: Uint8Array, port: number, address: string): void
}

/** `lookUp` gives today's LANs; they change under the running server. */
export function createContext(deps: DhcpDeps, sockets: Sockets, lookUp: () => readonly Segment[]): Context {
  const { store, log } = deps
  const counts = new Map<string, number>()
  const count = (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1)

  /** Memory may be ahead of the disk: read the book again, once for all the writes that failed together. */
  const distrust = (segment: Segment) => {
    if (segment.stale) return
    segment.stale = true
    queueMicrotask(() => {
      segment.stale = false
      if (store.db.open) segment.book.reload()
    })
  }

  return {
    deps,
    get segments() {
      return lookUp()
    },
    counts,
    count,
    write(segment, task, then, many = false) {
      let changed = many
      const turn = () => {
        const result = task()
        changed = true
        return result
      }
      store.write(turn).then(then, (error) => {
        count('dropped.store')
        log.error('dhcp.store-failed', { lan: segment.lan.name, error })
        if (changed) distrust(segment) // one answer that throws has changed nothing; a commit that failed has
      })
    },
    transmit(key, bytes, port, address) {
      count(sockets.send(key, bytes, port, address) ? 'sent' : 'dropped.no-socket')
    },
  }
}

export const lanKey = (lan: Lan) => `lan ${lan.name}`
export const pxeKey = (lan: Lan) => `pxe ${lan.name}`
