import type { Tx } from '../engines/store/store.ts'
import type { HostIntent } from './model.ts'

/** Hosts, intents and rules that name a profile, in words for people. */
export async function profileUsers(tx: Tx, organisation: string, profile: string): Promise<string[]> {
  const hosts = await tx.selectFrom('hosts').select(['name', 'profile', 'intent']).where('organisation', '=', organisation).execute()
  const rules = await tx
    .selectFrom('rules')
    .select('name')
    .where('organisation', '=', organisation)
    .where('profile', '=', profile)
    .execute()
  const wished = (intent: string | null) => (intent === null ? undefined : (JSON.parse(intent) as HostIntent).profile)
  return [
    ...hosts.filter((host) => host.profile === profile || wished(host.intent) === profile).map((host) => `host "${host.name}"`),
    ...rules.map((rule) => `rule "${rule.name}"`),
  ]
}
