import { formatBytes } from '@bridgehead/shared/text/format.ts'
import type { InferResponseType } from 'hono/client'
import type { api } from '../api/client.ts'
import type { Tone } from '../parts/status.tsx'
import type { Site, Verdict } from '../verdict.ts'

export type Rollout = InferResponseType<(typeof api.rollouts.rollouts)[':id']['$get'], 200>
export type RolloutSite = Rollout['sites'][number]
type Outcome = RolloutSite['outcome']
type State = Rollout['state']

/** In the order in which a site goes through them; failed ones last. */
export const OUTCOMES: readonly Outcome[] = ['committed', 'updating', 'told', 'waiting', 'failed']
export const OUTCOME_WORDS: Record<Outcome, string> = {
  committed: 'run it',
  updating: 'try it',
  told: 'told',
  waiting: 'wait',
  failed: 'failed',
}
export const OUTCOME_TONES: Record<Outcome, Tone> = { committed: 'ok', updating: 'busy', told: 'busy', waiting: 'quiet', failed: 'failed' }
export const STATE_TONES: Record<State, Tone> = { running: 'busy', paused: 'attention', stopped: 'failed', done: 'ok' }

/** `stopped by Ada`, `done: 3 of 3 sites run 1.1.0`. Pure. */
export function rolloutWords({ state, why }: Pick<Rollout, 'state' | 'why'>): string {
  const words = state === 'running' ? 'under way' : state
  return why.startsWith(`${state} by `) ? why : why === '' ? words : `${words}: ${why}`
}

/** How far one site is, as its box said it. Pure. */
export function siteWords(
  { outcome, why, progress, skipped, toldAt }: RolloutSite,
  { state, release }: Pick<Rollout, 'state' | 'release'>,
): Verdict {
  const passed = skipped ? '; passed over' : ''
  switch (outcome) {
    case 'committed':
      return { tone: 'ok', words: why ?? `runs ${release.version}` }
    case 'failed':
      return { tone: 'failed', words: `${progress?.phase === 'refused' ? 'refused it' : 'went back'}: ${why ?? 'gave no reason'}${passed}` }
    case 'updating':
      return { tone: progress?.phase === 'waiting' ? 'quiet' : 'busy', words: `${phaseWords(progress)}${passed}` }
    case 'told':
      return { tone: 'busy', words: `told; has not begun${passed}` }
    case 'waiting':
      if (skipped) return { tone: 'quiet', words: 'passed over' }
      if (state === 'stopped') return { tone: 'quiet', words: toldAt === undefined ? 'was not told' : 'called back' }
      return { tone: 'quiet', words: state === 'paused' ? 'waits; the rollout is paused' : 'waits for its wave' }
  }
}

function phaseWords(progress: RolloutSite['progress']): string {
  const { phase, bytes, total } = progress ?? {}
  const amount =
    bytes === undefined ? '' : total === undefined ? ` (${formatBytes(bytes)})` : ` (${formatBytes(bytes)} of ${formatBytes(total)})`
  switch (phase) {
    case 'fetching':
      return `fetches it${amount}`
    case 'written':
      return 'has it in its other slot'
    case 'waiting':
      return 'waits for its maintenance hours'
    case 'switched':
      return 'restarts into it'
    case 'trying':
      return 'tries it, and keeps it when all is well for a while'
    default:
      return phase ?? 'has begun'
  }
}

/** `10 % of all`, `ring=canary`. Pure. */
export function waveName(wave: Rollout['waves'][number]): string {
  if ('percent' in wave) return wave.percent >= 100 ? 'all the rest' : `${wave.percent} % of all sites`
  return wave.selector === '' ? 'every site' : wave.selector
}

export interface WaveView {
  name: string
  /** From 0; undefined: sites that no wave takes. */
  index: number | undefined
  sites: RolloutSite[]
  verdict: Verdict
}

/** The rollout wave by wave. Pure. */
export function wavesOf(rollout: Pick<Rollout, 'waves' | 'sites' | 'state'>): WaveView[] {
  const { waves, sites, state } = rollout
  const settled = ({ outcome, skipped }: RolloutSite) => skipped || outcome === 'committed' || outcome === 'failed'
  const open = waves.findIndex((_, index) => sites.some((site) => site.wave === index && !settled(site)))
  const views = waves.map((wave, index): WaveView => {
    const members = sites.filter((site) => site.wave === index)
    const failed = members.filter(({ outcome }) => outcome === 'failed').length
    const verdict: Verdict =
      members.length === 0
        ? { tone: 'quiet', words: 'takes no site' }
        : members.every(settled)
          ? failed > 0
            ? { tone: 'failed', words: `settled; ${failed} of ${members.length} failed` }
            : { tone: 'ok', words: 'done' }
          : state === 'stopped'
            ? { tone: 'quiet', words: 'ended with the rollout' }
            : index === open
              ? { tone: state === 'paused' ? 'attention' : 'busy', words: state === 'paused' ? 'paused' : 'under way' }
              : { tone: 'quiet', words: `begins when wave ${open + 1} has settled` }
    return { name: waveName(wave), index, sites: members, verdict }
  })
  const rest = sites.filter((site) => site.wave === undefined)
  if (rest.length === 0) return views
  return [...views, { name: 'in no wave', index: undefined, sites: rest, verdict: { tone: 'attention', words: 'never told' } }]
}

/** Sites that a stop calls back, and those that go on because they have switched. Pure. */
export function atStop(sites: readonly RolloutSite[]): { back: string[]; on: string[]; never: string[] } {
  const recallable = (site: RolloutSite) =>
    site.outcome === 'told' || (site.outcome === 'updating' && ['fetching', 'written', 'waiting'].includes(site.progress?.phase ?? ''))
  const names = (which: (site: RolloutSite) => boolean) => sites.filter(which).map(({ name }) => name)
  return {
    back: names(recallable),
    on: names((site) => site.outcome === 'updating' && !recallable(site)),
    never: names(({ outcome }) => outcome === 'waiting'),
  }
}

/** A stop is news for so long. */
const NEWS_MS = 7 * 86_400_000

/** Rollouts that want a person: paused ones, and the newest for its kind of box when it stopped of late. They come newest first. Pure. */
export function heldRollouts<R extends Pick<Rollout, 'state' | 'updatedAt' | 'release'>>(rollouts: readonly R[], now: number): R[] {
  return rollouts.filter(({ state, updatedAt, release }, at) => {
    const newest = !rollouts.slice(0, at).some((one) => one.release.board === release.board)
    return state === 'paused' || (state === 'stopped' && newest && now - updatedAt < NEWS_MS)
  })
}

/** `3 boxes run 0.1.1, 1 runs 0.1.0.`: what really runs. Pure. */
export function versionsSentence(sites: readonly Pick<Site, 'appliance'>[]): string {
  const counts = new Map<string, number>()
  for (const { appliance } of sites) {
    const version = appliance?.booted?.image ?? appliance?.version
    if (version !== undefined) counts.set(version, (counts.get(version) ?? 0) + 1)
  }
  if (counts.size === 0) return 'No box has told of itself yet.'
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([version, count]) => `${count} ${count === 1 ? 'runs' : 'run'} ${version}`)
  const [first = ''] = parts
  if (parts.length > 1) return `Of ${[...counts.values()].reduce((a, b) => a + b, 0)} boxes, ${parts.join(', ')}.`
  return [...counts.values()][0] === 1 ? `The box ${first.slice(2)}.` : `All ${first.replace(' run ', ' boxes run ')}.`
}
