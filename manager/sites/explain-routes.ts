import type { BootHost } from '@bridgehead/shared/boot/decide.ts'
import { explainBoot } from '@bridgehead/shared/boot/explain.ts'
import { findRule } from '@bridgehead/shared/boot/rules.ts'
import { Mac } from '@bridgehead/shared/model/address.ts'
import { Platform, type Rule, type SiteState } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { json, newApp, operation } from '../engines/http/app.ts'
import { invalidField, Problem } from '../engines/http/problem.ts'
import type { Db } from '../engines/store/store.ts'
import type { Host } from '../registries/model.ts'
import type { Publisher } from './publisher.ts'

const Reasons = z.array(z.string())
const Explained = z.object({
  /** Of the state that was asked. */
  revision: z.int(),
  /** What the site has applied; when it is older, the site may still answer by its own. */
  appliedRevision: z.int().optional(),
  mac: z.string(),
  platform: Platform,
  /** The rule that would approve it at this boot. */
  rule: z.object({ id: z.string(), name: z.string() }).optional(),
  firmware: z.object({ step: z.looseObject({ kind: z.string() }), reasons: Reasons }),
  script: z.object({ goal: z.looseObject({ kind: z.string() }), reasons: Reasons, text: z.string() }),
})
const explain = operation('hosts:read', {
  method: 'get',
  path: '/hosts/{id}/explain',
  tags: ['hosts'],
  summary: 'What the site would answer this host now, and why',
  description: 'Runs the same decision as the appliance, on the newest state. No packet is sent.',
  request: {
    params: z.object({ id: z.string().max(64) }),
    query: z.strictObject({ platform: Platform.optional(), mac: Mac.optional(), http: z.enum(['true', 'false']).optional() }),
  },
  responses: { 200: json(Explained, 'The answers to firmware and to iPXE, with reasons and the script.') },
})

export interface ExplainDeps {
  db: Db
  publisher: Pick<Publisher, 'settled'>
  getHost(organisation: string, id: string): Promise<Host>
}

export function explainRoutes({ db, publisher, getHost }: ExplainDeps) {
  return newApp().openapi(explain, async (c) => {
    const query = c.req.valid('query')
    const host = await getHost(c.get('principal').organisation, c.req.valid('param').id)
    await publisher.settled()
    const row = await db
      .selectFrom('site_states')
      .leftJoin('appliances', 'appliances.site', 'site_states.site')
      .select(['site_states.state', 'site_states.revision', 'appliances.applied_revision as applied'])
      .where('site_states.site', '=', host.site)
      .executeTakeFirst()
    if (!row || row.revision === 0) throw new Problem('state-missing', 'the state of the site is not compiled yet; ask again')
    const state = JSON.parse(row.state) as SiteState
    const mac = query.mac ?? host.macs[0]
    if (mac === undefined) throw invalidField(['query', 'mac'], 'the host has no MAC address; name one')
    const lan = state.lans.find((one) => one.name === host.lan) ?? state.lans[0]
    if (!lan) throw new Problem('state-missing', `site "${state.name}" has no lan, so nobody answers there`)
    const platform = query.platform ?? host.facts.platform ?? 'unknown'
    // The site lets its rules look at an unapproved machine before it decides.
    const rule = host.approved ? undefined : findRule(state.rules, { ...host.facts, macs: host.macs as Mac[], platform })
    const explained = explainBoot({
      state,
      host: rule ? approvedBy(rule, host) : host,
      mac,
      platform,
      http: query.http === 'true',
      server: lan.address,
      tags: host.effectiveTags,
    })
    return c.json(
      {
        revision: row.revision,
        ...(row.applied === null ? {} : { appliedRevision: row.applied }),
        mac,
        platform,
        ...(rule ? { rule: { id: rule.id, name: rule.name } } : {}),
        ...explained,
      },
      200,
    )
  })
}

/** The machine as it is once this rule has approved it. */
function approvedBy(rule: Rule, host: Host): BootHost {
  const { profile } = rule
  const intent =
    profile === undefined ? undefined : { id: '<new>', kind: 'install' as const, profile, state: 'pending' as const, attempts: 0 }
  return { ...host, approved: true, profile, intent }
}
