import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'

/** What the box knows of its own fitness, from self-tests over loopback. An update is committed on it; the watchdog is fed on it. */
export interface HealthReport {
  /** Every service is. The uplink is not part of it: a site works without. */
  ok: boolean
  /** By name (`dhcp`, `dns`, `tftp`, `http`, `store`): `ok`, or what is wrong. */
  services: Record<string, 'ok' | string>
  /** `none`: this box belongs to no manager. */
  uplink: 'ok' | 'down' | 'none'
}

/** One thing that is tried. Rejects with what is wrong; an `Unanswered` says that something is open and yet silent. */
export interface SelfTest {
  service: string
  run(): Promise<void>
}

/** A socket of ours is open, and nobody answers there: the process is not what it was. */
export class Unanswered extends Error {
  readonly code = 'unanswered'
}

export interface Health extends Service {
  /** Of the last round. Until the first one is over, nothing is `ok`. */
  report(): HealthReport
  /**
   * False when a service that is open has not answered for three rounds, or no round ended for so long: a new process may help. What a new
   * process cannot cure (an address that is missing, a taken port, a full disk) does not count.
   */
  alive(): boolean
}

export interface HealthDeps {
  /** Asked at each round: services come and go with the state. */
  tests: () => readonly SelfTest[]
  uplink: () => HealthReport['uplink']
  clock: Clock
  /** Monotonic milliseconds: setting the clock must not look like silence. */
  monotonic: () => number
  log: Log
}

const EVERY_MS = 5_000
const TEST_MS = 3_000
const ROUNDS = 3
const STUCK_MS = 30_000

export function createHealth({ tests, uplink, clock, monotonic, log }: HealthDeps): Health {
  let services: Record<string, 'ok' | string> = { start: 'the first self-test is not over' }
  const told = new Map<string, string>()
  let silent = new Map<string, number>()
  let roundAt = monotonic()
  let running: Promise<void> | undefined
  const stopping = new AbortController()

  const round = async () => {
    const results: Record<string, 'ok' | string> = {}
    const still = new Map<string, number>()
    for (const { service, run } of tests()) {
      const error = await within(run()).then(
        () => undefined,
        (cause: unknown) => (cause instanceof Error ? cause : new Error(String(cause))),
      )
      if (error instanceof Unanswered) still.set(service, (silent.get(service) ?? 0) + 1)
      const before = results[service]
      results[service] = error === undefined ? (before ?? 'ok') : error.message
    }
    for (const [service, said] of Object.entries(results)) {
      // the second time: what was just asked for may take a moment
      if (said !== 'ok' && services[service] === said && told.get(service) !== said) {
        told.set(service, said)
        log.warn('health.failing', { service, why: said })
      } else if (said === 'ok' && told.delete(service)) log.info('health.recovered', { service })
    }
    services = results
    silent = still
    roundAt = monotonic()
  }
  const within = async (test: Promise<void>): Promise<void> => {
    const done = new AbortController()
    const limit = clock.sleep(TEST_MS, done.signal).then(() => {
      if (!done.signal.aborted) throw new Unanswered(`no answer within ${TEST_MS / 1000} s`)
    })
    try {
      await Promise.race([test, limit])
    } finally {
      done.abort()
    }
  }

  return {
    name: 'health',
    async start() {
      running ??= (async () => {
        while (!stopping.signal.aborted) {
          await round()
          await clock.sleep(EVERY_MS, stopping.signal)
        }
      })()
    },
    async stop() {
      stopping.abort()
      await running
    },
    report: () => ({ ok: Object.values(services).every((said) => said === 'ok'), services, uplink: uplink() }),
    alive: () => monotonic() - roundAt < STUCK_MS && [...silent.values()].every((rounds) => rounds < ROUNDS),
  }
}
