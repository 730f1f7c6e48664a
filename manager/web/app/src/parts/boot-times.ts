import { bootRows, type StageEvent } from '@bridgehead/shared/text/timeline.ts'

/** After these a boot is over. */
const LAST_STAGES = ['phone-home', 'login', 'failed']
/** A boot that said nothing for so long has ended without a word. */
const SILENT_MS = 15 * 60_000

export type BootState = 'live' | 'over' | 'silent'

/** How a boot stands: under way, over, or ended without a word. Booting the own disk is the site's last word of a boot. Pure. */
export function bootState({ stages, endedAt }: { stages: readonly StageEvent[]; endedAt: number }, now: number): BootState {
  const last = stages.at(-1)
  if (last === undefined || LAST_STAGES.includes(last.stage) || (last.stage === 'script' && last.detail === 'local-disk')) return 'over'
  return now - endedAt < SILENT_MS ? 'live' : 'silent'
}

/** How long each stage took at earlier boots of this host: the median. Pure. */
export function usualMs(boots: readonly { stages: readonly StageEvent[] }[]): Map<string, number> {
  const all = new Map<string, number[]>()
  for (const { stages } of boots)
    for (const row of bootRows(stages, { now: 0, live: false }).slice(0, -1)) {
      const list = all.get(row.stage) ?? []
      all.set(row.stage, [...list, row.until - row.from])
    }
  return new Map([...all].map(([stage, list]) => [stage, list.sort((a, b) => a - b)[list.length >> 1] ?? 0]))
}

/** Four to eight round marks. Pure. */
export function ticks(ms: number): number[] {
  const steps = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000]
  const step = steps.find((one) => ms / one <= 7) ?? 7_200_000
  return Array.from({ length: Math.floor(ms / step) + 1 }, (_, index) => index * step)
}
