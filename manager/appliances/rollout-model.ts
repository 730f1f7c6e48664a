import { MaintenanceWindow, NewMaintenanceWindow } from '@bridgehead/shared/model/maintenance.ts'
import { Selector } from '@bridgehead/shared/model/tags.ts'
import { z } from 'zod'
import type { BoxFacts } from '../sites/box-facts.ts'
import type { ReadRollout } from './rollouts.ts'
import { decideRollout, type Wave } from './waves.ts'

const NewWave = z.union([z.strictObject({ selector: Selector }), z.strictObject({ percent: z.number().gt(0).max(100) })], {
  error: 'expected {"selector": "ring=canary"} or {"percent": 25}',
})
export const NewRollout = z.strictObject({
  /** Id of a release. */
  release: z.string().max(64),
  /** Which sites it is for; all of its board unless told. */
  selector: Selector.default(''),
  /** One after the other; each begins when the one before has settled. `percent` counts all sites of the rollout, earlier waves included. */
  waves: z
    .array(NewWave)
    .min(1)
    .max(50)
    .default([{ percent: 100 }]),
  /** At so many failed sites nobody else is told, and whoever has not switched yet is called back. */
  stopAfterFailures: z.int().min(1).max(100_000).default(1),
  /** Hours in which boxes may restart for it; at once unless told. */
  window: NewMaintenanceWindow.optional(),
})
const RolloutSiteShape = z.object({
  site: z.string(),
  name: z.string(),
  wave: z.int().optional(),
  outcome: z.enum(['waiting', 'told', 'updating', 'committed', 'failed']),
  why: z.string().optional(),
  toldAt: z.int().optional(),
  skipped: z.boolean(),
  /** What the box said it really booted. */
  booted: z.object({ version: z.string().optional(), slot: z.string().optional(), at: z.int() }).optional(),
  progress: z
    .object({ phase: z.string(), why: z.string().optional(), bytes: z.int().optional(), total: z.int().optional(), at: z.int() })
    .optional(),
  rollback: z.object({ version: z.string(), why: z.string(), at: z.int() }).optional(),
})
export const Rollout = z.object({
  id: z.string(),
  release: z.object({ id: z.string(), version: z.string(), board: z.string() }),
  selector: z.string(),
  waves: z.array(z.union([z.object({ selector: z.string() }), z.object({ percent: z.number() })])),
  stopAfterFailures: z.int(),
  window: MaintenanceWindow.optional(),
  state: z.enum(['running', 'paused', 'stopped', 'done']),
  /** A sentence: what it waits for, or why it ended. */
  why: z.string(),
  createdBy: z.string(),
  createdAt: z.int(),
  updatedAt: z.int(),
})
export const WholeRollout = Rollout.extend({ counts: z.record(z.string(), z.int()), sites: z.array(RolloutSiteShape) })

export function presentRollout({ row, release }: Pick<ReadRollout, 'row' | 'release'>): z.infer<typeof Rollout> {
  return {
    id: row.id,
    release: { id: release.id, version: release.version, board: release.board },
    selector: row.selector,
    waves: JSON.parse(row.waves) as Wave[],
    stopAfterFailures: row.stop_after,
    ...(row.maintenance === null ? {} : { window: MaintenanceWindow.parse(JSON.parse(row.maintenance)) }),
    state: row.state,
    why: row.why,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** With every site: what was decided on it, and what its box said. Reads; decides nothing that lasts. */
export function presentWhole(read: ReadRollout, facts: ReadonlyMap<string, BoxFacts>): z.infer<typeof WholeRollout> {
  const toldAt = new Map(read.rows.map((row) => [row.site, row.told_at]))
  const siteOf = new Map(read.sites.map((site) => [site.id, site]))
  const counts: Record<string, number> = {}
  const sites = decideRollout(read.plan, read.sites).sites.map(({ site, wave, outcome, why }) => {
    counts[outcome] = (counts[outcome] ?? 0) + 1
    const { booted, progress } = facts.get(site) ?? {}
    const at = toldAt.get(site) ?? undefined
    return {
      site,
      name: siteOf.get(site)?.name ?? site,
      outcome,
      skipped: siteOf.get(site)?.skipped ?? false,
      ...(wave === undefined ? {} : { wave }),
      ...(why === undefined ? {} : { why }),
      ...(at === undefined ? {} : { toldAt: at }),
      ...(booted ? { booted: { version: booted.image, slot: booted.slot, at: booted.at } } : {}),
      ...(progress?.release === read.release.id ? { progress } : {}),
      ...(booted?.rollback?.release === read.release.id ? { rollback: booted.rollback } : {}),
    }
  })
  return { ...presentRollout(read), counts, sites: sites.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}
