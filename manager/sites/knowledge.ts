import type { EventData } from '@bridgehead/shared/model/event.ts'
import { lastHeard, newestFacts } from '../distributors/newest-facts.ts'
import type { Db } from '../engines/store/store.ts'
import { countLeases } from '../registries/addresses.ts'
import type { Site } from './model.ts'
import type { ReadPresences } from './online.ts'
import type { ForeignServer, SiteKnowledge } from './services.ts'

/** Other DHCP servers that were heard in this time are shown. */
const SHOWN_MS = 7 * 86_400_000
/** They are told once an hour each. */
const MANY = 500

/** Reads all that is known of a site's services. */
export async function knowledgeOf(
  db: Db,
  { site, presences, now }: { site: Site & { stateAt: number }; presences: ReadPresences; now: number },
): Promise<SiteKnowledge> {
  const [poolFull] = await newestFacts(db, site.id, 'dhcp.pool-full', 1)
  const [artifactRefused] = await newestFacts(db, site.id, 'artifact.refused', 1)
  const fetched = artifactRefused ? await newestFacts(db, site.id, 'artifact.ready', MANY) : []
  const cured = fetched.some((one) => one.sha256 === artifactRefused?.sha256 && one.at >= artifactRefused.at)
  const [lastRun] = await newestFacts(db, site.id, 'run.finished', 1)
  const { appliance } = site
  return {
    now,
    lans: site.lans,
    dns: site.dns,
    enrolled: appliance !== undefined,
    online: await presences([site.id]).then(
      (found) => found.get(site.id),
      () => 'unknown' as const,
    ),
    lastHeard: await lastHeard(db, site.id),
    state: { revision: site.stateRevision, at: site.stateAt },
    applied: appliance?.appliedRevision === undefined ? undefined : { revision: appliance.appliedRevision, at: appliance.appliedAt ?? 0 },
    refused: appliance?.refused,
    foreign: foreignServers(await newestFacts(db, site.id, 'dhcp.foreign-server', MANY), now),
    leases: await countLeases(db, site.id),
    poolFull,
    artifactRefused: cured ? undefined : artifactRefused,
    lastRun,
  }
}

/** The newest word on each server, newest first. Pure. */
export function foreignServers(told: readonly (EventData<'dhcp.foreign-server'> & { at: number })[], now: number): ForeignServer[] {
  const found = new Map<string, ForeignServer>()
  for (const { lan, server, blocked, at } of [...told].sort((a, b) => b.at - a.at)) {
    const key = `${lan} ${server}`
    if (now - at < SHOWN_MS && !found.has(key)) found.set(key, { lan, server, blocked, lastSeen: at })
  }
  return [...found.values()]
}
