import { createHash } from 'node:crypto'
import type { PublicKey } from '@bridgehead/shared/model/signed.ts'
import {
  type ArtifactRef,
  type HostSpec,
  PROTOCOL,
  type Profile,
  type Rule,
  type Script,
  type SiteState,
} from '@bridgehead/shared/model/state.ts'
import type { SiteRow } from './records.ts'

/** Everything that a site's state is made of, read in one transaction. */
export interface CompileInput {
  site: Pick<SiteRow, 'id' | 'name' | 'tags' | 'lans' | 'unknown' | 'dns'>
  hosts: readonly HostSpec[]
  rules: readonly Rule[]
  profiles: readonly Profile[]
  scripts: readonly Script[]
  keys: readonly { name: string; publicKey: string }[]
  /** The appliance's own key, with which it runs scripts on hosts. */
  siteKey?: string | undefined
  loaders: Readonly<Record<string, ArtifactRef>>
  managerKeys: readonly PublicKey[]
  /** What the box itself shall run; undefined: as it is. */
  appliance?: SiteState['appliance']
}
export type StateContent = Omit<SiteState, 'revision' | 'at'>

/** The state that a site should have, but for its revision and time. Pure; the same input gives the same bytes. */
export function compile(input: CompileInput): StateContent {
  const { site } = input
  const keys = input.siteKey === undefined ? input.keys : [...input.keys, { name: `site:${site.name}`, publicKey: input.siteKey }]
  return {
    protocol: PROTOCOL,
    site: site.id,
    name: site.name,
    tags: sortedByKey(site.tags),
    lans: [...site.lans],
    unknown: site.unknown,
    hosts: byId(input.hosts).map((host) => ({ ...host, tags: sortedByKey(host.tags), macs: [...host.macs].sort() })),
    rules: [...input.rules].sort((a, b) => a.order - b.order || compare(a.id, b.id)),
    profiles: byId(input.profiles),
    scripts: byId(input.scripts),
    keys: keys.map(({ name, publicKey }) => ({ name, publicKey })),
    dns: site.dns,
    loaders: sortedByKey(input.loaders),
    managerKeys: input.managerKeys.map(({ kid, kty, crv, x }) => ({ kid, kty, crv, x })),
    ...(input.appliance === undefined ? {} : { appliance: input.appliance }),
  }
}

/** Ids of the profiles that these hosts, intents and rules name; only they go into the state. */
export function usedProfiles(hosts: readonly HostSpec[], rules: readonly Rule[]): Set<string> {
  const named = [...hosts.flatMap((host) => [host.profile, host.intent?.profile]), ...rules.map((rule) => rule.profile)]
  return new Set(named.filter((id) => id !== undefined))
}

/** Equal content, equal hash: whether a new revision is due. */
export function contentHash(content: StateContent): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex')
}

function byId<T extends { id: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => compare(a.id, b.id))
}
function sortedByKey<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => compare(a, b)))
}
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
