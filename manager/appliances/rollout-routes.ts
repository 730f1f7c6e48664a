import type { NewId } from '@bridgehead/shared/ids.ts'
import { z } from 'zod'
import { body, json, newApp, operation } from '../engines/http/app.ts'
import { invalidField, Problem } from '../engines/http/problem.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { listBoxFacts } from '../sites/box-facts.ts'
import { getSite } from '../sites/records.ts'
import { getRelease } from './releases.ts'
import { NewRollout, presentRollout, presentWhole, Rollout, WholeRollout } from './rollout-model.ts'
import { advance, planOf, type RolloutDeps, readRollout } from './rollouts.ts'
import { decideRollout } from './waves.ts'

const tags = ['releases']
const params = z.object({ id: z.string().max(64) })
const change = <V extends string>(verb: V, summary: string) =>
  operation('images:write', {
    method: 'post',
    path: `/rollouts/{id}/${verb}` as const,
    tags,
    summary,
    request: { params },
    responses: { 200: json(WholeRollout, 'As it is now.') },
  })
const op = {
  create: operation('images:write', {
    method: 'post',
    path: '/rollouts',
    tags,
    summary: 'Bring a release to sites, wave by wave',
    request: { body: body(NewRollout) },
    responses: { 201: json(WholeRollout, 'The rollout; its first wave is told.') },
  }),
  list: operation('images:read', {
    method: 'get',
    path: '/rollouts',
    tags,
    summary: 'Rollouts, newest first',
    responses: { 200: json(z.object({ items: z.array(Rollout) }), 'The rollouts.') },
  }),
  get: operation('images:read', {
    method: 'get',
    path: '/rollouts/{id}',
    tags,
    summary: 'One rollout with every site: told or not, how far, what it booted, and why it went back',
    request: { params },
    responses: { 200: json(WholeRollout, 'The rollout.') },
  }),
  pause: change('pause', 'Tell nobody else for now; who was told goes on'),
  resume: change('resume', 'Go on after a pause'),
  stop: change('stop', 'Tell nobody else ever; who has not switched yet is called back'),
  skip: operation('images:write', {
    method: 'post',
    path: '/rollouts/{id}/sites/{site}/skip',
    tags,
    summary: 'Go on without this site: the next wave does not wait for it, and its failure does not count',
    request: { params: params.extend({ site: z.string().max(100) }) },
    responses: { 200: json(WholeRollout, 'As it is now.') },
  }),
}

export interface RolloutRouteDeps extends RolloutDeps {
  /** Resolves once everything that sites told has been decided on. */
  settled(): Promise<void>
  newId: NewId
}

export function rolloutRoutes(deps: RolloutRouteDeps) {
  const { db, changes, settled, newId, clock } = deps
  /** `edit` and all that follows from it, in one transaction. */
  const changed = async (organisation: string, id: string, edit: (tx: Tx) => Promise<void>) => {
    await db.transaction().execute(async (tx) => {
      await edit(tx)
      await advance(tx, { ...deps, organisation, id, now: clock.now() })
    })
    changes.kick()
    return whole(db, organisation, id)
  }
  const move = (to: 'paused' | 'running' | 'stopped', from: readonly string[]) => (organisation: string, id: string, who: string) =>
    changed(organisation, id, async (tx) => {
      const { row } = await readRollout(tx, organisation, id)
      if (!from.includes(row.state))
        throw new Problem('in-use', `the rollout is ${row.state}; this is for one that is ${from.join(' or ')}`)
      const why = { paused: `paused by ${who}`, running: '', stopped: `stopped by ${who}` }[to]
      await tx.updateTable('rollouts').set({ state: to, why, updated_at: clock.now() }).where('id', '=', id).execute()
    })
  const pause = move('paused', ['running'])
  const resume = move('running', ['paused'])
  const stop = move('stopped', ['running', 'paused'])

  return newApp()
    .openapi(op.create, async (c) => {
      const { organisation, actor } = c.get('principal')
      const wish = c.req.valid('json')
      const id = newId()
      const made = await changed(organisation, id, (tx) => addRollout(tx, { organisation, id, wish, by: actor.name, now: clock.now() }))
      return c.json(made, 201)
    })
    .openapi(op.list, async (c) => {
      const { organisation } = c.get('principal')
      const rows = await db
        .selectFrom('rollouts')
        .selectAll()
        .where('organisation', '=', organisation)
        .orderBy('id', 'desc')
        .limit(200)
        .execute()
      const items = await Promise.all(
        rows.map(async (row) => presentRollout({ row, release: await getRelease(db, organisation, row.release) })),
      )
      return c.json({ items }, 200)
    })
    .openapi(op.get, async (c) => {
      await settled()
      return c.json(await whole(db, c.get('principal').organisation, c.req.valid('param').id), 200)
    })
    .openapi(op.pause, async (c) =>
      c.json(await pause(c.get('principal').organisation, c.req.valid('param').id, c.get('principal').actor.name), 200),
    )
    .openapi(op.resume, async (c) => c.json(await resume(c.get('principal').organisation, c.req.valid('param').id, ''), 200))
    .openapi(op.stop, async (c) =>
      c.json(await stop(c.get('principal').organisation, c.req.valid('param').id, c.get('principal').actor.name), 200),
    )
    .openapi(op.skip, async (c) => {
      const { organisation } = c.get('principal')
      const { id, site: named } = c.req.valid('param')
      const made = await changed(organisation, id, async (tx) => {
        await readRollout(tx, organisation, id)
        const site = await getSite(tx, organisation, named)
        const row = { rollout: id, site: site.id, organisation, wave: null, told: 0, told_at: null, outcome: 'waiting', why: null }
        await tx
          .insertInto('rollout_sites')
          .values({ ...row, skipped: 1 })
          .onConflict((on) => on.columns(['rollout', 'site']).doUpdateSet({ skipped: 1 }))
          .execute()
      })
      return c.json(made, 200)
    })
}

/** Throws Problem when nobody would get it, or another rollout has begun with the same boxes. */
async function addRollout(
  tx: Tx,
  { organisation, id, wish, by, now }: { organisation: string; id: string; wish: z.output<typeof NewRollout>; by: string; now: number },
): Promise<void> {
  const release = await getRelease(tx, organisation, wish.release).catch((error: unknown) => {
    throw error instanceof Problem ? invalidField(['release'], error.message, 'reference-unknown') : error
  })
  if (release.manifest.expiresAt <= now)
    throw invalidField(
      ['release'],
      `release ${release.version} expired at ${new Date(release.manifest.expiresAt).toISOString()}; make a new one`,
    )
  const row = {
    id,
    organisation,
    release: release.id,
    selector: wish.selector,
    waves: JSON.stringify(wish.waves),
    stop_after: wish.stopAfterFailures,
    maintenance: wish.window === undefined ? null : JSON.stringify(wish.window),
    state: 'running' as const,
    why: '',
    created_by: by,
    created_at: now,
    updated_at: now,
  }
  await tx.insertInto('rollouts').values(row).execute()
  const { sites } = await readRollout(tx, organisation, id)
  const members = new Set(decideRollout(planOf(row, release), sites).sites.map(({ site }) => site))
  if (members.size === 0)
    throw invalidField(
      ['selector'],
      `no site that it takes has a box for ${release.board} that has told of itself yet`,
      'reference-unknown',
    )
  const others = await tx
    .selectFrom('rollouts')
    .select('id')
    .where('organisation', '=', organisation)
    .where('id', '!=', id)
    .where('state', 'in', ['running', 'paused'])
    .execute()
  for (const other of others) {
    const read = await readRollout(tx, organisation, other.id)
    const both = decideRollout(read.plan, read.sites).sites.find(({ site }) => members.has(site))
    const name = read.sites.find((site) => site.id === both?.site)?.name
    if (both) throw new Problem('in-use', `rollout ${other.id} (${read.release.version}) is under way at site "${name}"; stop it first`)
  }
}

async function whole(db: Db, organisation: string, id: string): Promise<z.infer<typeof WholeRollout>> {
  return presentWhole(await readRollout(db, organisation, id), await listBoxFacts(db, organisation))
}
