import type { InferResponseType } from 'hono/client'
import type { api } from './api/client.ts'
import type { Tone } from './parts/status.tsx'

export type Site = InferResponseType<typeof api.sites.sites.$get, 200>['items'][number]
export type Host = InferResponseType<typeof api.hosts.hosts.$get, 200>['items'][number]
export interface Verdict {
  tone: Tone
  /** One sentence, or a part of one. */
  words: string
}

/** A box says something every 10 s; silence for a minute is worth a word. */
const SILENT_MS = 60_000

/** How a site is, by what is known of it. Pure. */
export function siteVerdict(
  { appliance, stateRevision, online }: Site & { online?: { at: number; revision: number } | undefined },
  now: number,
): Verdict {
  if (!appliance) return { tone: 'quiet', words: 'waits for its appliance' }
  if (appliance.refused && (appliance.refused.revision ?? 0) > (appliance.appliedRevision ?? 0))
    return { tone: 'failed', words: `refused the newest settings: ${appliance.refused.why}` }
  if (!online || now - online.at > SILENT_MS) return { tone: 'attention', words: 'does not answer; it works on by itself' }
  if (appliance.booted?.dataState && appliance.booted.dataState !== 'ok')
    return {
      tone: 'attention',
      words: appliance.booted.dataState === 'memory' ? 'keeps nothing: its data partition failed' : 'cannot write its data partition',
    }
  if (online.revision < stateRevision) return { tone: 'busy', words: `applies revision ${stateRevision}` }
  return { tone: 'ok', words: 'fine' }
}

/** How a host is. Pure. */
export function hostVerdict({ status, approved, retired, why }: Pick<Host, 'status' | 'approved' | 'retired' | 'why'>): Verdict {
  if (retired) return { tone: 'quiet', words: 'retired' }
  if (!approved) return { tone: 'attention', words: 'waits for approval' }
  switch (status) {
    case 'ready':
      return { tone: 'ok', words: 'ready' }
    case 'failed':
      return { tone: 'failed', words: why === undefined ? 'failed' : `failed: ${why}` }
    case 'installing':
      return { tone: 'busy', words: 'is being installed' }
    case 'installed':
      return { tone: 'busy', words: 'installed, starts for the first time' }
    case 'retired':
      return { tone: 'quiet', words: 'retired' }
    case 'discovered':
    case 'approved':
      return { tone: 'quiet', words: 'approved' }
  }
}

const plural = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`

/** The overview's first sentence. Pure. */
export function overviewSentence(sites: readonly Verdict[], waiting: number, failed: number): string {
  const fine = sites.filter(({ tone }) => tone === 'ok' || tone === 'busy').length
  const empty = sites.filter(({ tone }) => tone === 'quiet').length
  const bad = sites.length - fine - empty
  const parts = [
    ...(fine > 0 || empty === 0 ? [`${plural(fine, 'site')} fine`] : []),
    ...(bad > 0 ? [`${plural(bad, 'site')} ${bad === 1 ? 'needs' : 'need'} attention`] : []),
    ...(empty > 0 ? [`${plural(empty, 'site')} without ${empty === 1 ? 'its' : 'their'} appliance`] : []),
    ...(waiting > 0 ? [`${plural(waiting, 'machine')} ${waiting === 1 ? 'waits' : 'wait'} for you`] : []),
    ...(failed > 0 ? [`${plural(failed, 'machine')} failed`] : []),
  ]
  return `${parts.join(', ')}.`
}
