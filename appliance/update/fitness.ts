import type { HealthReport } from '../system/health.ts'
import type { Fitness } from './decide.ts'

/** Turns reports of a moment into "so long without a break". Times are the machine's uptime, ms. */
export interface FitnessWatch {
  sample(report: HealthReport, uptimeMs: number): void
  at(uptimeMs: number): Fitness
  /** The uplink worked at some time within the last `ms`. */
  uplinkWithin(ms: number, uptimeMs: number): boolean
}

export function watchFitness(): FitnessWatch {
  let servicesSince: number | undefined
  let uplinkSince: number | undefined
  let uplinkLast: number | undefined
  let text = 'not tested yet'
  return {
    sample({ ok, services, uplink }, uptimeMs) {
      servicesSince = ok ? (servicesSince ?? uptimeMs) : undefined
      uplinkSince = uplink === 'ok' ? (uplinkSince ?? uptimeMs) : undefined
      if (uplink === 'ok') uplinkLast = uptimeMs
      const wrong = Object.entries(services).filter(([, state]) => state !== 'ok')
      const parts = wrong.map(([name, state]) => `${name}: ${state}`)
      if (!ok && parts.length === 0) parts.push('the services are not well')
      if (uplink !== 'ok') parts.push(uplink === 'down' ? 'the uplink is down' : 'there is no uplink')
      text = parts.join('; ') || 'all is well'
    },
    at: (uptimeMs) => ({
      // a millisecond more than nothing: what was well at the last look is well now
      servicesForMs: servicesSince === undefined ? 0 : Math.max(1, uptimeMs - servicesSince),
      uplinkForMs: uplinkSince === undefined ? 0 : Math.max(1, uptimeMs - uplinkSince),
      text,
    }),
    uplinkWithin: (ms, uptimeMs) => uplinkLast !== undefined && uptimeMs - uplinkLast <= ms,
  }
}
