import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import { backoffMs } from './backoff.ts'
import type { Membership } from './membership.ts'
import { Wake } from './wake.ts'

/** What a member runs towards its manager: overlay, link. Made anew for each try, started and stopped in order. */
export type MemberServices = (membership: Membership) => readonly Service[]

export interface UplinkDeps {
  /** Resolves undefined when this box cannot become a member (no token) or `signal` aborted. */
  enrol: (signal: AbortSignal) => Promise<Membership | undefined>
  /** Called once, before the services start: what the stored state needs must not wait for them. */
  onMember: (membership: Membership) => Promise<void>
  services: MemberServices
  /** Calls back when the way to the manager has changed: no need to wait longer then. */
  onUplink?: ((listener: () => void) => void) | undefined
  clock: Clock
  random: () => number
  log: Log
}

/**
 * Becomes a member, then keeps overlay and link running. `start` returns at once: whatever happens here, the site's own
 * services run on what the store holds.
 */
export function createUplink({ enrol, onMember, services, onUplink, clock, random, log }: UplinkDeps): Service {
  const stopping = new AbortController()
  const running: Service[] = []
  const hurried = new Wake()
  onUplink?.(() => hurried.now())
  let done: Promise<void> | undefined

  const stopServices = async () => {
    for (const service of running.splice(0).reverse())
      await service.stop().catch((error) => log.error('service.stop_failed', { service: service.name, error }))
  }

  const run = async () => {
    const membership = await enrol(stopping.signal)
    if (!membership || stopping.signal.aborted) return
    await onMember(membership)
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      try {
        for (const service of services(membership)) {
          running.push(service)
          await service.start()
          if (stopping.signal.aborted) break
        }
        return
      } catch (error) {
        const service = running.at(-1)?.name
        await stopServices()
        const retryMs = backoffMs(attempt, random)
        log.error('uplink.start_failed', { service, error, retryMs })
        await hurried.wait(retryMs, clock, stopping.signal)
      }
    }
  }

  return {
    name: 'uplink',
    async start() {
      done ??= run() // not awaited: the network may be away. What rejects here is a bug and ends the process.
    },
    async stop() {
      stopping.abort()
      await done
      await stopServices()
    },
  }
}
