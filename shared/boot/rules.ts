import type { HostFacts } from '../model/event.ts'
import type { Rule } from '../model/state.ts'

/** The first rule, by `order`, whose conditions all hold for a machine with these facts. A condition on an unknown fact does not hold. */
export function findRule(rules: readonly Rule[], facts: HostFacts): Rule | undefined {
  return [...rules].sort((a, b) => a.order - b.order).find((rule) => holds(rule, facts))
}

function holds({ match }: Rule, facts: HostFacts): boolean {
  const same = (wanted: string | undefined, got: string | undefined) => wanted === undefined || wanted.toLowerCase() === got?.toLowerCase()
  const prefix = match.macPrefix
  return (
    (prefix === undefined || facts.macs.some((mac) => mac.startsWith(prefix))) &&
    same(match.vendor, facts.vendor) &&
    same(match.product, facts.product) &&
    same(match.serial, facts.serial) &&
    same(match.platform, facts.platform)
  )
}

/** Name of a machine that nobody named: `host-` and the last three bytes of its first MAC. */
export function defaultHostName(macs: readonly string[]): string {
  return `host-${(macs[0] ?? '00:00:00:00:00:00').replaceAll(':', '').slice(-6)}`
}
