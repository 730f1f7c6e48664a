import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import { SiteState } from '@bridgehead/shared/model/state.ts'
import { Selector } from '@bridgehead/shared/model/tags.ts'
import { z } from 'zod'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import { notFound, Problem } from '../engines/http/problem.ts'
import type { Db } from '../engines/store/store.ts'
import type { Appliances } from './appliances.ts'
import { ApplianceFile, NewClaim, NewSite, NewToken, Online, PendingBox, Site, SitePatch, Token } from './model.ts'
import { onlineOf, type ReadPresences } from './online.ts'
import type { Publisher } from './publisher.ts'
import { addSite, deleteSite, getSite, listSites, patchSite, present, type SiteRow } from './records.ts'

export interface SiteDeps {
  db: Db
  appliances: Appliances
  publisher: Publisher
  /** What `bridgehead.json` says besides the token. */
  dial: { manager: string; fingerprint?: string | undefined }
  overlayAddress(subnet: number): string | undefined
  /** Told after a site was made or deleted, so that the engines follow. */
  onSite(site: string, what: 'made' | 'deleted'): Promise<void>
  /** Counts wrong claim codes of an organisation, so that nobody tries them all. */
  tries: { waitSeconds(organisation: string): number; failed(organisation: string): void }
  presences: ReadPresences
  newId: NewId
  clock: Clock
}

const params = z.object({ id: z.string().max(100) })
const tags = ['sites']
const Status = z.object({
  revision: z.int(),
  at: z.int(),
  online: Online.optional(),
  applied: z.object({ revision: z.int(), at: z.int() }).optional(),
  refused: z.object({ revision: z.int().optional(), why: z.string(), at: z.int() }).optional(),
  state: SiteState,
})

const op = {
  list: operation('sites:read', {
    method: 'get',
    path: '/sites',
    tags,
    summary: 'Sites by name',
    request: { query: z.strictObject({ selector: Selector.optional() }) },
    responses: { 200: json(z.object({ items: z.array(Site) }), 'The sites that the selector leaves.') },
  }),
  create: operation('sites:write', {
    method: 'post',
    path: '/sites',
    tags,
    summary: 'Make a site',
    request: { body: body(NewSite) },
    responses: { 201: json(Site, 'The site.') },
  }),
  get: operation('sites:read', {
    method: 'get',
    path: '/sites/{id}',
    tags,
    summary: 'One site, by id or name',
    request: { params },
    responses: { 200: json(Site, 'The site.') },
  }),
  patch: operation('sites:write', {
    method: 'patch',
    path: '/sites/{id}',
    tags,
    summary: 'Change a site',
    request: { params, body: body(SitePatch) },
    responses: { 200: json(Site, 'The changed site.') },
  }),
  remove: operation('sites:write', {
    method: 'delete',
    path: '/sites/{id}',
    tags,
    summary: 'Delete a site with its hosts; its appliance is locked out',
    request: { params },
    responses: { 204: NOTHING },
  }),
  state: operation('sites:read', {
    method: 'get',
    path: '/sites/{id}/state',
    tags,
    summary: 'The state that the site should have, and how far it is',
    request: { params },
    responses: { 200: json(Status, 'The newest state.') },
  }),
  newToken: operation('sites:write', {
    method: 'post',
    path: '/sites/{id}/tokens',
    tags,
    summary: 'Make a one-time enrolment token; on a bound site, to replace its appliance',
    request: { params, body: body(NewToken) },
    responses: {
      201: json(
        z.object({ id: z.string(), expiresAt: z.int(), config: ApplianceFile }),
        'The whole bridgehead.json for the appliance; the token is shown this once.',
      ),
    },
  }),
  tokens: operation('sites:read', {
    method: 'get',
    path: '/sites/{id}/tokens',
    tags,
    summary: 'Enrolment tokens of a site, newest first',
    request: { params },
    responses: { 200: json(z.object({ items: z.array(Token) }), 'Tokens, without their secrets.') },
  }),
  revoke: operation('sites:write', {
    method: 'delete',
    path: '/sites/{id}/tokens/{token}',
    tags,
    summary: 'Revoke an enrolment token',
    request: { params: params.extend({ token: z.string().max(64) }) },
    responses: { 204: NOTHING },
  }),
  pending: operation('sites:read', {
    method: 'get',
    path: '/sites/{id}/pending',
    tags,
    summary: 'Boxes that came with a spent token and wait for a decision',
    request: { params },
    responses: { 200: json(z.object({ items: z.array(PendingBox) }), 'The waiting boxes; compare the code with the one the box shows.') },
  }),
  approve: operation('sites:write', {
    method: 'post',
    path: '/sites/{id}/pending/{box}/approve',
    tags,
    summary: 'Bind the site to this box, in place of its present one',
    request: { params: params.extend({ box: z.string().max(64) }) },
    responses: { 204: NOTHING },
  }),
  claim: operation('sites:write', {
    method: 'post',
    path: '/sites/{id}/claim',
    tags,
    summary: 'Bind the site to the box that shows this code, in place of its present one',
    description: "A box of a generic image shows a code while it is nobody's. After ten wrong codes an organisation waits a minute.",
    request: { params, body: body(NewClaim) },
    responses: { 204: NOTHING },
  }),
  dismiss: operation('sites:write', {
    method: 'delete',
    path: '/sites/{id}/pending/{box}',
    tags,
    summary: 'Forget a waiting box',
    request: { params: params.extend({ box: z.string().max(64) }) },
    responses: { 204: NOTHING },
  }),
}

/** Sites, their tokens and boxes. */
export function siteRoutes({ db, appliances, publisher, dial, overlayAddress, onSite, tries, presences, newId, clock }: SiteDeps) {
  const showAll = async (sites: readonly SiteRow[]): Promise<Site[]> => {
    const online = await presences(sites.map((site) => site.id)).catch(() => undefined) // Redis is away: nobody knows
    const all = await present(db, sites, overlayAddress)
    return all.map((site) => ({ ...site, online: onlineOf(online?.get(site.id)) }))
  }
  const shown = async (site: SiteRow) => {
    const [one] = await showAll([site])
    if (!one) throw notFound('site', site.id)
    return one
  }
  return newApp()
    .openapi(op.list, async (c) => {
      const sites = await listSites(db, c.get('principal').organisation, c.req.valid('query').selector)
      return c.json({ items: await showAll(sites) }, 200)
    })
    .openapi(op.create, async (c) => {
      const { organisation } = c.get('principal')
      const id = newId()
      await db.transaction().execute((tx) => addSite(tx, organisation, id, c.req.valid('json'), clock.now()))
      await onSite(id, 'made')
      publisher.kick()
      return c.json(await shown(await getSite(db, organisation, id)), 201)
    })
    .openapi(op.get, async (c) => c.json(await shown(await getSite(db, c.get('principal').organisation, c.req.valid('param').id)), 200))
    .openapi(op.patch, async (c) => {
      const { organisation } = c.get('principal')
      const id = await db.transaction().execute(async (tx) => {
        const site = await getSite(tx, organisation, c.req.valid('param').id)
        await patchSite(tx, site, c.req.valid('json'), clock.now())
        await publisher.mark(tx, organisation, site.id)
        return site.id
      })
      publisher.kick()
      return c.json(await shown(await getSite(db, organisation, id)), 200)
    })
    .openapi(op.remove, async (c) => {
      const { organisation } = c.get('principal')
      const id = await db.transaction().execute(async (tx) => {
        const site = await getSite(tx, organisation, c.req.valid('param').id)
        await deleteSite(tx, site.id)
        return site.id
      })
      await onSite(id, 'deleted')
      return c.body(null, 204)
    })
    .openapi(op.state, async (c) => {
      const site = await getSite(db, c.get('principal').organisation, c.req.valid('param').id)
      await publisher.settled()
      const row = await db.selectFrom('site_states').selectAll().where('site', '=', site.id).executeTakeFirst()
      if (!row || row.revision === 0) throw new Problem('state-missing', `the state of "${site.name}" is not compiled yet; ask again`)
      const { appliance, online } = await shown(site)
      const applied =
        appliance?.appliedRevision === undefined ? undefined : { revision: appliance.appliedRevision, at: appliance.appliedAt ?? 0 }
      return c.json(
        {
          revision: row.revision,
          at: row.at,
          ...(online ? { online } : {}),
          ...(applied ? { applied } : {}),
          ...(appliance?.refused ? { refused: appliance.refused } : {}),
          state: JSON.parse(row.state) as SiteState,
        },
        200,
      )
    })
    .openapi(op.newToken, async (c) => {
      const { organisation } = c.get('principal')
      const made = await db.transaction().execute(async (tx) => {
        const site = await getSite(tx, organisation, c.req.valid('param').id)
        return appliances.newToken(tx, site, c.req.valid('json').expiresInSeconds)
      })
      return c.json({ id: made.id, expiresAt: made.expiresAt, config: { ...dial, token: made.token } }, 201, {
        'cache-control': 'no-store',
      })
    })
    .openapi(op.tokens, async (c) => {
      const site = await getSite(db, c.get('principal').organisation, c.req.valid('param').id)
      const rows = await db.selectFrom('enrolment_tokens').selectAll().where('site', '=', site.id).orderBy('id', 'desc').execute()
      const items = rows.map((row) => ({
        id: row.id,
        createdAt: row.created_at,
        expiresAt: row.expires_at,
        ...(row.spent_at === null ? {} : { spentAt: row.spent_at }),
      }))
      return c.json({ items }, 200)
    })
    .openapi(op.revoke, async (c) => {
      const { id, token } = c.req.valid('param')
      const site = await getSite(db, c.get('principal').organisation, id)
      const done = await db.deleteFrom('enrolment_tokens').where('id', '=', token).where('site', '=', site.id).executeTakeFirst()
      if (done.numDeletedRows === 0n) throw notFound('enrolment token', token)
      return c.body(null, 204)
    })
    .openapi(op.pending, async (c) => {
      const site = await getSite(db, c.get('principal').organisation, c.req.valid('param').id)
      const rows = await db.selectFrom('pending_boxes').selectAll().where('site', '=', site.id).orderBy('last_seen', 'desc').execute()
      const items = rows.map((row) => ({
        id: row.id,
        code: row.code,
        hardware: JSON.parse(row.hardware) as z.infer<typeof PendingBox>['hardware'],
        version: row.version,
        firstSeen: row.first_seen,
        lastSeen: row.last_seen,
      }))
      return c.json({ items }, 200)
    })
    .openapi(op.approve, async (c) => {
      const { organisation } = c.get('principal')
      const { id, box } = c.req.valid('param')
      const site = await getSite(db, organisation, id)
      await appliances.approve(site, box)
      await db.transaction().execute((tx) => publisher.mark(tx, organisation, site.id))
      publisher.kick()
      return c.body(null, 204)
    })
    .openapi(op.claim, async (c) => {
      const { organisation } = c.get('principal')
      const site = await getSite(db, organisation, c.req.valid('param').id)
      const seconds = tries.waitSeconds(organisation)
      if (seconds > 0)
        throw new Problem('too-many-requests', `too many wrong codes; try again in ${seconds} s`, {
          headers: { 'retry-after': `${seconds}` },
        })
      await appliances.claim(site, c.req.valid('json').code).catch((error: unknown) => {
        if (error instanceof Problem && error.code === 'not-found') tries.failed(organisation)
        throw error
      })
      await db.transaction().execute((tx) => publisher.mark(tx, organisation, site.id))
      publisher.kick()
      return c.body(null, 204)
    })
    .openapi(op.dismiss, async (c) => {
      const { id, box } = c.req.valid('param')
      const site = await getSite(db, c.get('principal').organisation, id)
      const done = await db.deleteFrom('pending_boxes').where('id', '=', box).where('site', '=', site.id).executeTakeFirst()
      if (done.numDeletedRows === 0n) throw notFound('waiting box', box)
      return c.body(null, 204)
    })
}
