import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { PRESENCE_SECONDS, type Presence } from '@bridgehead/shared/model/redis-keys.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { backoffMs } from './backoff.ts'
import type { Bus, ConnectBus } from './bus.ts'
import type { CommandTaker } from './command-taker.ts'
import { pumpEvents } from './event-pump.ts'
import type { StateKeeper } from './state-keeper.ts'
import { Wake } from './wake.ts'

export interface LinkDeps {
  connect: ConnectBus
  states: StateKeeper
  commands: CommandTaker
  store: Store
  outbox: Outbox
  clock: Clock
  random: () => number
  log: Log
  version: string
  counters: () => Record<string, number>
  /** Of the self-tests; told with each sign of presence. */
  health?: (() => NonNullable<Presence['health']>) | undefined
  /** Calls back when the way to the manager has changed: no need to wait longer then. */
  onUplink?: ((listener: () => void) => void) | undefined
}

export interface Link extends Service {
  readonly up: boolean
}

const BLOCK_MS = 5_000
/** No answer within this time, beyond what the server was asked to wait: the line is dead, whatever TCP believes. */
const ANSWER_MS = 5_000
const STATE_EVERY_MS = 30_000
/** A session that lasted this long was a good one: the next failure starts the back-off anew. */
const GOOD_SESSION_MS = 60_000

/** Carries state and orders down and facts up, session after session, until it is stopped. */
export function createLink(deps: LinkDeps): Link {
  const { connect, clock, random, log } = deps
  const stopping = new AbortController()
  const added = new Wake()
  deps.outbox.onAdd(() => added.now())
  const hurried = new Wake()
  deps.onUplink?.(() => hurried.now())
  let running: Promise<void> | undefined
  let up = false

  const run = async () => {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      const began = clock.now()
      const why = await session().catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      if (stopping.signal.aborted) break
      if (clock.now() - began >= GOOD_SESSION_MS) attempt = 0
      const retryMs = backoffMs(attempt, random)
      log.warn(up ? 'link.down' : 'link.failed', { why, retryMs })
      up = false
      await hurried.wait(retryMs, clock, stopping.signal)
    }
    up = false
  }

  const session = async (): Promise<string> => {
    const bus = await connect(stopping.signal)
    const over = new AbortController()
    const end = () => over.abort()
    stopping.signal.addEventListener('abort', end, { once: true })
    if (stopping.signal.aborted) end()
    up = true
    log.info('link.up')
    const loops = sessionLoops({ ...deps, added }, guard(bus, clock, over.signal), over.signal)
    try {
      await Promise.race([...loops, aborted(over.signal)])
      return 'stopped'
    } finally {
      stopping.signal.removeEventListener('abort', end)
      end()
      bus.close()
      await Promise.allSettled(loops)
    }
  }

  return {
    name: 'link',
    get up() {
      return up
    },
    async start() {
      running ??= run()
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** Each loop runs until `signal` aborts, or rejects when the session broke. */
function sessionLoops(
  { states, commands, store, outbox, clock, log, version, counters, health, added }: LinkDeps & { added: Wake },
  bus: Bus,
  signal: AbortSignal,
): Promise<void>[] {
  const nudged = new Wake()
  const isFirst = states.revision() === 0

  const readState = async () => {
    await bus.onNudge(() => nudged.now())
    while (!signal.aborted) {
      const jws = await bus.readState()
      if (jws !== undefined) await states.offer(jws)
      await nudged.wait(STATE_EVERY_MS, clock, signal)
    }
  }

  const sendEvents = async () => {
    // Redis may have lost the last ones it took, with its memory or in a power cut; the manager passes over what it has.
    await store.write(() => outbox.rewind(RESEND))
    while (!signal.aborted) {
      await pumpEvents({ bus, store, outbox })
      await added.wait(STATE_EVERY_MS, clock, signal)
    }
  }

  const takeCommands = async () => {
    for (let which: 'pending' | 'new' = 'pending'; !signal.aborted; ) {
      const read = await bus.readCommands(which, BLOCK_MS)
      if (read.lost) {
        if (!isFirst) log.warn('link.redis_was_empty')
        await store.write(() => outbox.rewind())
        added.now()
      }
      for (const { jws } of read.commands) if (jws !== undefined) await commands.take(jws)
      if (read.commands.length > 0) await bus.settleCommands(read.commands.map(({ entry }) => entry))
      else if (!read.lost) which = 'new'
    }
  }

  const sendPresence = async () => {
    while (!signal.aborted) {
      const presence: Presence = {
        at: clock.now(),
        version,
        revision: states.revision(),
        outbox: outbox.size(),
        counters: counters(),
        ...(health ? { health: health() } : {}),
      }
      await bus.sendPresence(JSON.stringify(presence), PRESENCE_SECONDS.expires)
      await clock.sleep(PRESENCE_SECONDS.every * 1000, signal)
    }
  }

  return [readState(), sendEvents(), takeCommands(), sendPresence()]
}

/** Facts that are sent again at the start of each session. */
const RESEND = 200

/**
 * The same bus, where every call has a limit, and one that is over it ends the session: the watchdog for silent connections.
 * Once the session is over, all calls reject, whatever became of their sockets.
 */
function guard(bus: Bus, clock: Clock, signal: AbortSignal): Bus {
  const within = async <T>(what: string, limitMs: number, answer: Promise<T>): Promise<T> => {
    let fail = (_: Error) => {}
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    const onAbort = () => fail(new Error('the session is over'))
    const cancel = clock.after(limitMs, () => fail(new Error(`no answer to ${what} within ${limitMs} ms`)))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    try {
      return await Promise.race([answer, failed])
    } finally {
      signal.removeEventListener('abort', onAbort)
      cancel()
    }
  }
  return {
    readState: () => within('GET state', ANSWER_MS, bus.readState()),
    onNudge: (listener) => within('SUBSCRIBE', ANSWER_MS, bus.onNudge(listener)),
    sendEvents: (events) => within('XADD', ANSWER_MS * 4, bus.sendEvents(events)),
    sendPresence: (json, seconds) => within('SET presence', ANSWER_MS, bus.sendPresence(json, seconds)),
    readCommands: (which, blockMs) => within('XREADGROUP', blockMs + ANSWER_MS, bus.readCommands(which, blockMs)),
    settleCommands: (entries) => within('XACK', ANSWER_MS, bus.settleCommands(entries)),
    close: () => bus.close(),
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
