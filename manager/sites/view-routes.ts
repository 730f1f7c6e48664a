import type { Clock } from '@bridgehead/shared/clock.ts'
import { z } from 'zod'
import { json, newApp, operation } from '../engines/http/app.ts'
import type { Db } from '../engines/store/store.ts'
import { Lease, listHolders, listLeases } from '../registries/addresses.ts'
import { knowledgeOf } from './knowledge.ts'
import { SiteName, siteNames } from './names.ts'
import type { ReadPresences } from './online.ts'
import { getSite, present } from './records.ts'
import { ForeignServer, SiteService, siteServices } from './services.ts'

export interface ViewDeps {
  db: Db
  /** Rejects when nobody can know. */
  presences: ReadPresences
  clock: Clock
}

const request = { params: z.object({ id: z.string().max(100) }) }
const tags = ['sites']
const op = {
  leases: operation('sites:read', {
    method: 'get',
    path: '/sites/{id}/leases',
    tags,
    summary: 'Addresses that the site has given out',
    request,
    responses: { 200: json(z.object({ items: z.array(Lease) }), 'By LAN and address.') },
  }),
  names: operation('sites:read', {
    method: 'get',
    path: '/sites/{id}/names',
    tags,
    summary: "What the site's DNS answers",
    description:
      "Made by the appliance's own rules from the newest state, the addresses of hosts and the leases. Names of other zones are not here.",
    request,
    responses: {
      200: json(
        z.object({ items: z.array(SiteName), problems: z.array(z.object({ name: z.string(), why: z.string() })) }),
        'Names by the alphabet, reverse ones last; `problems` are records and names that are left out, and why.',
      ),
    },
  }),
  services: operation('sites:read', {
    method: 'get',
    path: '/sites/{id}/services',
    tags,
    summary: 'How the services of a site are: one sentence each',
    request,
    responses: {
      200: json(
        z.object({ items: z.array(SiteService), foreignServers: z.array(ForeignServer) }),
        'Every service, and the other DHCP servers that were heard in the last week, newest first.',
      ),
    },
  }),
}

/** How a site is, as people ask for it. */
export function siteViewRoutes({ db, presences, clock }: ViewDeps) {
  return newApp()
    .openapi(op.leases, async (c) => {
      const site = await getSite(db, c.get('principal').organisation, c.req.valid('param').id)
      return c.json({ items: await listLeases(db, site.id) }, 200)
    })
    .openapi(op.names, async (c) => {
      const site = await getSite(db, c.get('principal').organisation, c.req.valid('param').id)
      return c.json(siteNames(site, await listHolders(db, site.id)), 200)
    })
    .openapi(op.services, async (c) => {
      const row = await getSite(db, c.get('principal').organisation, c.req.valid('param').id)
      const [site] = await present(db, [row], () => undefined)
      if (!site) throw new Error('a site that was found cannot be shown')
      const made = await db.selectFrom('site_states').select('at').where('site', '=', row.id).executeTakeFirst()
      const knowledge = await knowledgeOf(db, { site: { ...site, stateAt: made?.at ?? row.updatedAt }, presences, now: clock.now() })
      return c.json({ items: siteServices(knowledge), foreignServers: [...knowledge.foreign] }, 200)
    })
}
