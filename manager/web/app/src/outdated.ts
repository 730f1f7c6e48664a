/** A fact as GET /events tells it. */
export interface LiveFact {
  seq: number
  site: string
  kind: string
  host: string | null
  data: Record<string, unknown>
}

/** First words of keys whose fact makes everything below them old: which of the things it was, the fact does not tell. */
export const WHOLE: ReadonlySet<string> = new Set(['runs', 'rollouts'])

/** Queries that a fact makes old. Pure. */
export function outdatedBy({ kind, host, site, data }: LiveFact): string[][] {
  if (kind === 'run.output' || kind.startsWith('run.')) return [['runs']]
  if (kind === 'boot.stage') return host === null ? [['hosts']] : [['hosts', host]]
  const keys: string[][] = [['sites', site], ['sites']]
  if (host !== null || kind.startsWith('dhcp.')) keys.push(['hosts'], ['hosts', 'of-site', site])
  if (host !== null) keys.push(['hosts', host])
  // settings that came to a box may tell of a release, too
  if (kind.startsWith('appliance.') || kind === 'state.applied') keys.push(['rollouts'])
  return typeof data.run === 'string' ? [...keys, ['runs']] : keys
}
