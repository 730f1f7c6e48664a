/** A fact as GET /events tells it. */
export interface LiveFact {
  seq: number
  site: string
  kind: string
  host: string | null
  data: Record<string, unknown>
}

/** Queries that a fact makes old. Pure. */
export function outdatedBy({ kind, host, site, data }: LiveFact): string[][] {
  if (kind === 'run.output' || kind.startsWith('run.')) return [['runs']]
  if (kind === 'boot.stage') return host === null ? [['hosts']] : [['hosts', host]]
  const keys: string[][] = [['sites', site], ['sites']]
  if (host !== null || kind.startsWith('dhcp.')) keys.push(['hosts'])
  return typeof data.run === 'string' ? [...keys, ['runs']] : keys
}
