import { compareVersions, Version } from '@bridgehead/shared/model/release.ts'
import { matches, parseSelector, type Tags } from '@bridgehead/shared/model/tags.ts'

/** Sites that get a release together: those with these tags, or so many that this share of all has it. */
export type Wave = { selector: string } | { percent: number }

/** How far the release is on one site, as the site itself said. */
export type Outcome = 'waiting' | 'told' | 'updating' | 'committed' | 'failed'

export interface RolloutPlan {
  id: string
  release: { id: string; board: string; version: string; rollback?: boolean | undefined }
  selector: string
  waves: readonly Wave[]
  stopAfterFailures: number
  state: 'running' | 'paused' | 'stopped' | 'done'
  why: string
}

/** What is known of a site of the organisation. */
export interface RolloutSite {
  id: string
  name: string
  tags: Tags
  /** Of the box that is bound to it; none: not enrolled, or no flashed box. */
  board?: string | undefined
  /** The version that was really booted. */
  booted?: string | undefined
  /** What it said last of an update, whichever. */
  progress?: { release: string; phase: string; why?: string | undefined } | undefined
  /** The last release that did not hold. */
  rollback?: { release: string; why: string } | undefined
  /** From this rollout's own book. */
  wave?: number | undefined
  told: boolean
  /** Final ones stay, whatever the site does afterwards. */
  settled?: { outcome: 'committed' | 'failed'; why?: string | undefined } | undefined
  /** A person said: go on without it. */
  skipped: boolean
}

export interface SiteDecision {
  site: string
  /** Index into the plan's waves; undefined: it is in none. */
  wave: number | undefined
  told: boolean
  outcome: Outcome
  why: string | undefined
}
export interface RolloutDecision {
  state: RolloutPlan['state']
  /** A sentence for people. */
  why: string
  /** Index of the wave that is under way. */
  wave: number | undefined
  sites: SiteDecision[]
}

/** Phases from which a box can still be called back without harm: its running system is untouched, and it boots as before. */
const RECALLABLE = new Set([undefined, 'fetching', 'written', 'waiting'])

/**
 * Which sites have this release in their state from now on, and whether the rollout goes on. Pure. Level-triggered: it can be asked again at
 * any time, and says the same. A wave begins when every site of those before it has settled: committed, failed (fewer than the rollout stops
 * for), or passed over by a person.
 */
export function decideRollout(plan: RolloutPlan, sites: readonly RolloutSite[]): RolloutDecision {
  const members = membersOf(plan, sites)
  const waves = assignWaves(plan, members)
  const judged = members.map((site) => ({ site, wave: waves.get(site.id), ...outcomeOf(site, plan.release) }))
  const failed = judged.filter(({ site, outcome }) => outcome === 'failed' && !site.skipped)
  const open = firstUnsettled(plan, judged)
  const verdict = verdictOf(plan, failed, judged, open)
  const decided = judged.map(({ site, wave, outcome, why }): SiteDecision => {
    const begun = site.told && (outcome === 'committed' || outcome === 'failed' || !RECALLABLE.has(phaseOf(site, plan.release.id)))
    const reached = wave !== undefined && (open === undefined || wave <= open)
    const goesOn = plan.state === 'running' && verdict.state !== 'stopped'
    const told = verdict.state === 'stopped' ? begun && outcome !== 'failed' : site.told || (goesOn && !site.skipped && reached)
    return { site: site.id, wave, told: told && !(site.skipped && !begun), outcome: outcome === 'waiting' && told ? 'told' : outcome, why }
  })
  return { ...verdict, wave: verdict.state === 'done' ? undefined : open, sites: decided }
}

/** Boxes of this board that the selector takes, and whoever was told already. */
function membersOf(plan: RolloutPlan, sites: readonly RolloutSite[]): RolloutSite[] {
  const terms = parseSelector(plan.selector)
  return sites.filter((site) => site.told || site.settled || (site.board === plan.release.board && matches(terms, withName(site))))
}

/** Told sites stay in their wave. The others are dealt anew each time, always in the same order, so that tags may change meanwhile. */
function assignWaves(plan: RolloutPlan, members: readonly RolloutSite[]): Map<string, number> {
  const found = new Map<string, number>()
  for (const site of members) if (site.wave !== undefined && (site.told || site.settled)) found.set(site.id, site.wave)
  const order = [...members].sort((a, b) => rank(plan.id, a.id) - rank(plan.id, b.id) || (a.id < b.id ? -1 : 1))
  plan.waves.forEach((wave, index) => {
    const free = order.filter((site) => !found.has(site.id))
    if ('selector' in wave) {
      const terms = parseSelector(wave.selector)
      for (const site of free) if (matches(terms, withName(site))) found.set(site.id, index)
    } else {
      const inside = [...found.values()].filter((at) => at <= index).length
      const wanted = Math.ceil((members.length * wave.percent) / 100) - inside
      for (const site of free.slice(0, Math.max(wanted, 0))) found.set(site.id, index)
    }
  })
  return found
}

function outcomeOf(site: RolloutSite, release: RolloutPlan['release']): { outcome: Outcome; why: string | undefined } {
  if (site.settled) return { outcome: site.settled.outcome, why: site.settled.why }
  const has = hasIt(site, release)
  if (!site.told)
    return has && site.progress?.release !== release.id ? { outcome: 'committed', why: has } : { outcome: 'waiting', why: undefined }
  const { progress, rollback } = site
  if (progress?.release === release.id) {
    if (progress.phase === 'committed') return { outcome: 'committed', why: undefined }
    if (progress.phase === 'rolled-back' || progress.phase === 'refused') return { outcome: 'failed', why: progress.why ?? progress.phase }
    return { outcome: 'updating', why: progress.phase }
  }
  if (rollback?.release === release.id) return { outcome: 'failed', why: rollback.why }
  // It says nothing of this release, because it has nothing to do.
  return has ? { outcome: 'committed', why: has } : { outcome: 'told', why: undefined }
}

/** Why there is nothing for it to do; undefined when there is. */
function hasIt({ booted }: RolloutSite, { version, rollback }: RolloutPlan['release']): string | undefined {
  if (booted === version) return 'it runs this version already'
  if (rollback || !Version.safeParse(booted).success || booted === undefined) return undefined
  return compareVersions(booted, version) > 0 ? `it runs ${booted}, which is newer` : undefined
}

type Judged = { site: RolloutSite; wave: number | undefined; outcome: Outcome; why: string | undefined }

/** The first wave in which something is left to do. */
function firstUnsettled(plan: RolloutPlan, judged: readonly Judged[]): number | undefined {
  const left = judged.filter(({ site, outcome }) => !site.skipped && outcome !== 'committed' && outcome !== 'failed')
  const index = plan.waves.findIndex((_, at) => left.some(({ wave }) => wave === at))
  return index < 0 ? undefined : index
}

function verdictOf(
  plan: RolloutPlan,
  failed: readonly Judged[],
  judged: readonly Judged[],
  open: number | undefined,
): { state: RolloutPlan['state']; why: string } {
  if (plan.state === 'stopped' || plan.state === 'done') return { state: plan.state, why: plan.why }
  if (failed.length >= plan.stopAfterFailures) {
    const reasons = failed.slice(0, 3).map(({ site, why }) => `${site.name}: ${why ?? 'no reason given'}`)
    const sites = failed.length === 1 ? 'site' : 'sites'
    return {
      state: 'stopped',
      why: `it failed on ${failed.length} ${sites}, and stops after ${plan.stopAfterFailures} (${reasons.join('; ')})`,
    }
  }
  const committed = judged.filter(({ outcome }) => outcome === 'committed').length
  if (open === undefined && judged.length > 0)
    return { state: 'done', why: `${committed} of ${judged.length} sites run ${plan.release.version}` }
  if (plan.state === 'paused') return { state: 'paused', why: plan.why }
  const wave = open === undefined ? 'no site has such a box yet' : `wave ${open + 1} of ${plan.waves.length}`
  return { state: 'running', why: `${wave}; ${committed} of ${judged.length} sites run ${plan.release.version}` }
}

function phaseOf(site: RolloutSite, release: string): string | undefined {
  return site.progress?.release === release ? site.progress.phase : undefined
}

function withName(site: RolloutSite): Tags {
  return { ...site.tags, site: site.name }
}

/** A fixed order that looks shuffled, another one for each rollout, so that not always the same sites go first (FNV-1a, 32 bits). */
function rank(rollout: string, site: string): number {
  let hash = 0x811c9dc5
  for (const letter of `${rollout} ${site}`) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return hash
}
