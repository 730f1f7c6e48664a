import type { Lan } from '@bridgehead/shared/model/state.ts'

/** A LAN as a person types it; empty texts are left out. */
export interface LanInput {
  name: string
  subnet: string
  address: string
  mode: Lan['mode']
  router: string
  from: string
  to: string
}

export const lanInput = (lan: Lan): LanInput => ({
  name: lan.name,
  subnet: lan.subnet,
  address: lan.address,
  mode: lan.mode,
  router: lan.router ?? '',
  from: lan.ranges[0]?.from ?? '',
  to: lan.ranges[0]?.to ?? '',
})

/** As the API takes it. Fields that this form does not show stay as they were in `before`. Pure. */
export function lanOutput({ router, from, to, ...rest }: LanInput, before?: Lan) {
  const ranges = from === '' && to === '' ? [] : [{ from, to }, ...(before?.ranges.slice(1) ?? [])]
  const kept = before && { dns: before.dns, domain: before.domain, leaseSeconds: before.leaseSeconds }
  return { ...kept, ...rest, ranges, ...(router === '' ? {} : { router }) }
}
