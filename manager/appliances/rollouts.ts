import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import type { Service } from '@bridgehead/shared/service.ts'
import type { Selectable } from 'kysely'
import { notFound } from '../engines/http/problem.ts'
import { createSweeper } from '../engines/pump.ts'
import type { Database } from '../engines/store/schema.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { listBoxFacts } from '../sites/box-facts.ts'
import { listSites } from '../sites/records.ts'
import { getRelease, type Release } from './releases.ts'
import { decideRollout, type RolloutDecision, type RolloutPlan, type RolloutSite, type Wave } from './waves.ts'

/** Brings rollouts forward: soon after each fact that matters, and again each minute. */
export interface Rollouts extends Service {
  /** Inside the transaction of a fact that matters to them. */
  touch(): void
  /** After it. */
  kick(): void
  /** Resolves once everything that was known before has been decided on. */
  settled(): Promise<void>
}

export interface RolloutDeps {
  db: Db
  changes: { mark(tx: Tx, organisation: string, site: string): Promise<void>; kick(): void }
  clock: Clock
  log: Log
}

const FINAL = ['committed', 'failed'] as const
/** Facts that come together are looked at once. */
const DEBOUNCE_MS = 1_000
/** New boxes, changed tags, or a crash came between a fact and the look at it. */
const SWEEP_MS = 60_000

export function createRollouts({ db, changes, clock, log }: RolloutDeps): Rollouts {
  let touched = false

  const pass = async () => {
    for (const { id, organisation } of await alive(db))
      await db
        .transaction()
        .execute((tx) => advance(tx, { organisation, id, changes, now: clock.now(), log }))
        .catch((error) => log.error('rollout.not_advanced', { rollout: id, error }))
    changes.kick()
  }
  const sweeper = createSweeper({
    pass,
    clock,
    debounceMs: DEBOUNCE_MS,
    everyMs: SWEEP_MS,
    onError: (error) => log.error('rollout.sweep_failed', { error }),
  })
  return {
    name: 'rollouts',
    touch() {
      touched = true
    },
    kick() {
      if (touched) sweeper.kick()
      touched = false
    },
    settled: sweeper.settled,
    start: sweeper.start,
    stop: sweeper.stop,
  }
}

/** Those that go on, and stopped ones of which a site is still on its way. */
async function alive(db: Db): Promise<{ id: string; organisation: string }[]> {
  return db
    .selectFrom('rollouts')
    .select(['id', 'organisation'])
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['running', 'paused']),
        eb.and([
          eb('state', '=', 'stopped'),
          eb.exists(
            eb
              .selectFrom('rollout_sites')
              .select('site')
              .whereRef('rollout_sites.rollout', '=', 'rollouts.id')
              .where('told', '=', 1)
              .where('outcome', 'in', ['told', 'updating']),
          ),
        ]),
      ]),
    )
    .orderBy('id')
    .execute()
}

/** Decides on one rollout and keeps what came of it; sites whose release changed are compiled anew. */
export async function advance(
  tx: Tx,
  {
    organisation,
    id,
    changes,
    now,
    log,
  }: { organisation: string; id: string; changes: Pick<RolloutDeps['changes'], 'mark'>; now: number; log: Log },
): Promise<RolloutDecision> {
  const read = await readRollout(tx, organisation, id)
  const decision = decideRollout(read.plan, read.sites)
  const before = new Map(read.rows.map((row) => [row.site, row]))
  for (const { site, wave, told, outcome, why } of decision.sites) {
    const old = before.get(site)
    const values = { wave: wave ?? null, told: told ? 1 : 0, outcome, why: why ?? null }
    if (old && old.wave === values.wave && old.told === values.told && old.outcome === outcome && old.why === values.why) continue
    const told_at = told ? (old?.told_at ?? now) : (old?.told_at ?? null)
    await tx
      .insertInto('rollout_sites')
      .values({ rollout: id, site, organisation, skipped: old?.skipped ?? 0, told_at, ...values })
      .onConflict((on) => on.columns(['rollout', 'site']).doUpdateSet({ told_at, ...values }))
      .execute()
    if ((old?.told ?? 0) === values.told) continue
    await changes.mark(tx, organisation, site)
    log.info(told ? 'rollout.told' : 'rollout.recalled', { rollout: id, site, version: read.release.version })
  }
  const { state, why } = decision
  if (state !== read.plan.state || why !== read.plan.why) {
    await tx.updateTable('rollouts').set({ state, why, updated_at: now }).where('id', '=', id).execute()
    if (state !== read.plan.state) log[state === 'stopped' ? 'warn' : 'info']('rollout.state', { rollout: id, state, why })
  }
  return decision
}

export interface ReadRollout {
  row: Selectable<Database['rollouts']>
  release: Release
  plan: RolloutPlan
  sites: RolloutSite[]
  rows: Selectable<Database['rollout_sites']>[]
}

/** Throws `not-found`, also for another organisation's. */
export async function readRollout(tx: Tx | Db, organisation: string, id: string): Promise<ReadRollout> {
  const row = await tx.selectFrom('rollouts').selectAll().where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (!row) throw notFound('rollout', id)
  const release = await getRelease(tx, organisation, row.release)
  const rows = await tx.selectFrom('rollout_sites').selectAll().where('rollout', '=', id).execute()
  const facts = await listBoxFacts(tx, organisation)
  const book = new Map(rows.map((one) => [one.site, one]))
  const sites = (await listSites(tx, organisation)).map((site): RolloutSite => {
    const own = book.get(site.id)
    const { booted, progress } = facts.get(site.id) ?? {}
    const final = FINAL.find((outcome) => outcome === own?.outcome)
    return {
      id: site.id,
      name: site.name,
      tags: site.tags,
      board: booted?.board,
      booted: booted?.image,
      progress,
      rollback: booted?.rollback,
      wave: own?.wave ?? undefined,
      told: own?.told === 1,
      ...(final ? { settled: { outcome: final, why: own?.why ?? undefined } } : {}),
      skipped: own?.skipped === 1,
    }
  })
  return { row, release, rows, sites, plan: planOf(row, release) }
}

export function planOf(row: Selectable<Database['rollouts']>, release: Release): RolloutPlan {
  return {
    id: row.id,
    release: { id: release.id, board: release.board, version: release.version, rollback: release.manifest.rollback },
    selector: row.selector,
    waves: JSON.parse(row.waves) as Wave[],
    stopAfterFailures: row.stop_after,
    state: row.state,
    why: row.why,
  }
}
