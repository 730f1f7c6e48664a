import { defaultHostName, findRule } from '@bridgehead/shared/boot/rules.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { HostSpec, SiteState } from '@bridgehead/shared/model/state.ts'
import type { Outbox } from '../store/outbox.ts'
import type { HostRecords, HostRow } from './records.ts'

interface Deps {
  records: HostRecords
  outbox: Outbox
  newId: NewId
}

/** Makes the site's own record of machines follow a new state document. Runs inside `store.write`. */
export function followState(deps: Deps, state: SiteState, now: number): void {
  const wanted = new Set(state.hosts.map((spec) => spec.id))
  for (const spec of state.hosts) followSpec(deps.records, spec, now)
  for (const host of deps.records.hosts()) {
    if (host.managed && !wanted.has(host.id)) deps.records.forget(host.id)
    else if (!host.approved && !host.managed) applyRules(deps, state, host, now)
  }
}

function followSpec(records: HostRecords, spec: HostSpec, now: number): void {
  const same = records.host(spec.id)
  const met = same ?? spec.macs.map((mac) => records.hostByMac(mac)).find((host) => host !== undefined)
  const status = spec.retired
    ? 'retired'
    : !met || met.status === 'discovered' || met.status === 'retired'
      ? spec.approved
        ? 'approved'
        : 'discovered'
      : met.status
  records.putHost({
    id: spec.id,
    name: spec.name,
    status,
    approved: spec.approved,
    retired: spec.retired,
    managed: true,
    facts: met?.facts ?? { macs: [] },
    tags: spec.tags,
    profile: spec.profile,
    reserved: spec.ip,
    lan: met?.lan,
    ip: met?.ip,
    hostKeys: met?.hostKeys ?? [],
    firstSeen: met?.firstSeen ?? now,
    lastSeen: met?.lastSeen ?? 0,
  })
  if (met && met.id !== spec.id) records.rekey(met.id, spec.id) // registered at the manager and discovered here, at the same time
  for (const mac of spec.macs) records.putMac(mac, spec.id)

  const intent = spec.intent
  records.dropPending(spec.id, intent?.id)
  if (!intent) return
  if (records.knowsIntent(intent.id)) records.adoptIntent(intent.id)
  else
    records.putIntent({
      id: intent.id,
      host: spec.id,
      kind: intent.kind,
      profile: intent.profile,
      state: 'pending',
      attempts: 0,
      at: intent.at,
      origin: 'manager',
    })
}

/** Lets the first matching rule approve a machine; with a profile it is installed once. Returns the machine as it is then. */
export function applyRules({ records, outbox, newId }: Deps, state: SiteState, host: HostRow, now: number): HostRow {
  const macs = records.macsOf(host.id) as HostRow['facts']['macs']
  const rule = host.approved ? undefined : findRule(state.rules, { ...host.facts, macs })
  if (!rule) return host
  const approved: HostRow = {
    ...host,
    approved: true,
    status: 'approved',
    tags: { ...host.tags, ...rule.tags },
    profile: rule.profile,
    name: host.name || defaultHostName(macs),
  }
  const intent = rule.profile === undefined ? undefined : newId()
  records.putHost(approved)
  if (intent)
    records.putIntent({
      id: intent,
      host: host.id,
      kind: 'install',
      profile: rule.profile,
      state: 'pending',
      attempts: 0,
      at: now,
      origin: 'rule',
    })
  outbox.add('host.approved', { rule: rule.id, tags: approved.tags, profile: rule.profile, name: approved.name, intent }, host.id)
  return approved
}
