import { ago } from '@bridgehead/shared/text/ago.ts'
import { count } from './print.ts'
import type { Host, Site } from './shapes.ts'

/** How something is: four states that differ by shape too. */
export type Mark = 'ok' | 'busy' | 'attention' | 'failed'
export interface Verdict {
  mark: Mark
  /** For people, a phrase. */
  text: string
  /** What to do about it. */
  next?: string
}

const SIGNS: Record<Mark, string> = { ok: '✓', busy: '…', attention: '!', failed: '✗' }
export const sign = (mark: Mark) => SIGNS[mark]

/** Pure. Whoever is not in touch may be cut off, or the manager's Redis may be away: both are said alike. */
export function siteVerdict(site: Pick<Site, 'name' | 'appliance' | 'online' | 'stateRevision'>, now: number): Verdict {
  const { name, appliance, online, stateRevision } = site
  if (!appliance) return { mark: 'attention', text: 'waits for its appliance', next: `bridgehead site image ${name}` }
  const applied = online?.revision ?? appliance.appliedRevision ?? 0
  if (appliance.refused && (appliance.refused.revision ?? 0) >= applied)
    return { mark: 'failed', text: `refused its state: ${appliance.refused.why}`, next: `bridgehead site show ${name}` }
  if (!online) {
    const last = appliance.appliedAt ?? appliance.enrolledAt
    return { mark: 'attention', text: `not in touch (its last state came ${ago(last, now)})`, next: `bridgehead logs --site ${name}` }
  }
  if (applied < stateRevision) return { mark: 'busy', text: `in touch, at revision ${applied} of ${stateRevision}` }
  return { mark: 'ok', text: online.outbox > 100 ? `in sync, ${online.outbox} facts still to come` : 'in sync' }
}

export function hostVerdict({ name, siteName, status, why, approved, intent, lastSeen }: Host, now: number): Verdict {
  const seen = lastSeen === undefined ? 'never seen' : `seen ${ago(lastSeen, now)}`
  const address = `${siteName}/${name}`
  if (status === 'retired') return { mark: 'ok', text: 'retired' }
  if (!approved) return { mark: 'attention', text: `waits for approval, ${seen}`, next: `bridgehead host approve ${address}` }
  if (status === 'failed' || intent?.state === 'failed')
    return { mark: 'failed', text: why ?? intent?.why ?? 'failed', next: `bridgehead host timeline ${address}` }
  if (status === 'installing')
    return { mark: 'busy', text: `installing${intent && intent.attempts > 1 ? `, attempt ${intent.attempts}` : ''}` }
  if (intent?.state === 'pending') return { mark: 'busy', text: `will ${wish(intent.kind)} at its next boot` }
  if (status === 'ready') return { mark: 'ok', text: `ready, ${seen}` }
  return { mark: 'ok', text: `${status}, ${seen}` }
}

/** `3 sites: 2 fine, 1 needs you.` Pure. */
export function summary(verdicts: readonly Verdict[], one: string): string {
  const of = (mark: Mark) => verdicts.filter((verdict) => verdict.mark === mark).length
  const needs = of('attention')
  const parts = [
    of('ok') > 0 ? `${of('ok')} fine` : '',
    of('busy') > 0 ? `${of('busy')} on the way` : '',
    needs > 0 ? `${needs} ${needs === 1 ? 'needs' : 'need'} you` : '',
    of('failed') > 0 ? `${of('failed')} failed` : '',
  ].filter((part) => part !== '')
  return `${count(verdicts.length, one)}: ${parts.join(', ')}`
}

/** What is wrong first, otherwise in the order given. */
export function byUrgency<T>(items: readonly T[], verdict: (item: T) => Verdict): T[] {
  const order: readonly Mark[] = ['failed', 'attention', 'busy', 'ok']
  return [...items].sort((one, other) => order.indexOf(verdict(one).mark) - order.indexOf(verdict(other).mark))
}

function wish(kind: string): string {
  return (
    { install: 'be installed', 'local-disk': 'start its own disk', wipe: 'be wiped', rescue: 'start the rescue system' }[kind] ??
    `do "${kind}"`
  )
}
