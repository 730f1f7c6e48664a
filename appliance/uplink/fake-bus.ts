import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Bus, ConnectBus } from './bus.ts'

/** Redis of one site in memory, for tests. Passes the same contract as the real one (`bus-contract.ts`). */
export interface FakeRedis {
  readonly connect: ConnectBus
  setState(jws: string): void
  nudge(): void
  addCommand(jws: string): void
  commandsLeft(): number
  events(): readonly string[]
  presence(): string | undefined
  /** Ends all sessions, as a killed server does. With `empty` it lost its memory, too. */
  kill(options?: { empty?: boolean }): void
  /** From now on, sessions that are open get no answer any more. */
  freeze(): void
  /** While true, nobody can connect. */
  away: boolean
}

interface Session {
  broken: boolean
  frozen: boolean
  listeners: (() => void)[]
  /** Called when something came for a waiting reader, or when the session broke. */
  wake: Set<() => void>
}

export function fakeRedis(clock: Pick<Clock, 'after'>): FakeRedis {
  let state: string | undefined
  let presence: string | undefined
  let events: string[] = []
  let commands: { entry: string; jws: string; read: boolean }[] = []
  let group = false
  let entries = 0
  const sessions = new Set<Session>()
  const forever = new Promise<never>(() => {})

  const open = (session: Session): Bus => {
    const answer = async <T>(work: () => T): Promise<T> => {
      if (session.frozen) return forever
      if (session.broken) throw new Error('Connection is closed.')
      return work()
    }
    return {
      readState: () => answer(() => state),
      onNudge: (listener) => answer(() => void session.listeners.push(listener)),
      sendEvents: (more) => answer(() => void events.push(...more)),
      sendPresence: (json) =>
        answer(() => {
          presence = json
        }),
      async readCommands(which, blockMs) {
        const take = () =>
          answer(() => {
            if (!group) return undefined
            const found = commands.filter((one) => one.read === (which === 'pending'))
            for (const one of found) one.read = true
            return found.map(({ entry, jws }) => ({ entry, jws }))
          })
        let found = await take()
        if (found?.length === 0 && which === 'new' && blockMs > 0) {
          await new Promise<void>((resolve) => {
            if (session.broken || commands.some((one) => !one.read))
              resolve() // since `take`
            else {
              session.wake.add(resolve)
              clock.after(blockMs, resolve)
            }
          })
          found = await take()
        }
        group = true
        return found ? { commands: found, lost: false } : { commands: [], lost: true }
      },
      settleCommands: (settled) =>
        answer(() => {
          commands = commands.filter((one) => !settled.includes(one.entry))
        }),
      close: () => end(session),
    }
  }

  const end = (session: Session) => {
    session.broken = true
    sessions.delete(session)
    wakeAll(session)
  }
  const wakeAll = (session: Session) => {
    for (const wake of session.wake) wake()
    session.wake.clear()
  }

  const redis: FakeRedis = {
    away: false,
    connect: async () => {
      if (redis.away) throw new Error('connect ECONNREFUSED')
      const session: Session = { broken: false, frozen: false, listeners: [], wake: new Set() }
      sessions.add(session)
      return open(session)
    },
    setState(jws) {
      state = jws
    },
    nudge() {
      for (const session of sessions) if (!session.frozen) for (const listener of session.listeners) listener()
    },
    addCommand(jws) {
      commands.push({ entry: `${++entries}-0`, jws, read: false })
      for (const session of sessions) wakeAll(session)
    },
    commandsLeft: () => commands.length,
    events: () => events,
    presence: () => presence,
    kill({ empty = false } = {}) {
      for (const session of [...sessions]) end(session)
      if (!empty) return
      state = presence = undefined
      events = []
      commands = []
      group = false
    },
    freeze() {
      for (const session of sessions) session.frozen = true
    },
  }
  return redis
}
