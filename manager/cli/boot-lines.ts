import { ago } from '@bridgehead/shared/text/ago.ts'
import { formatMs } from '@bridgehead/shared/text/format.ts'
import { bootRows, drawBoot } from '@bridgehead/shared/text/timeline.ts'
import { count, printable } from './print.ts'
import type { Host, Timeline } from './shapes.ts'

type Boot = Timeline['boots'][number]

/** A boot that said nothing for so long is over, or stuck. */
const SILENT_MS = 60_000
/** With these a boot has come to its end. */
const ENDS = new Set(['phone-home', 'login', 'failed', 'reboot'])

/** One sentence about the newest boot, then its stages as bars, then those before it. Pure. */
export function bootLines(
  host: Pick<Host, 'name' | 'siteName' | 'status'>,
  { boots }: Pick<Timeline, 'boots'>,
  { now, width, limit, why }: { now: number; width: number; limit: number; why: boolean },
): string[] {
  const [newest] = boots
  if (!newest) return [`${host.siteName}/${host.name} has not booted from the network yet`, '  → switch it on, with the network first']
  const lines = [`${host.siteName}/${host.name}: ${sentence(newest, host.status, now)}`]
  boots.slice(0, limit).forEach((boot, index) => {
    const live = index === 0 && isLive(boot, host.status, now)
    lines.push('', index === 0 ? '  this boot' : `  ${ago(boot.startedAt, now)}`)
    lines.push(...drawBoot(bootRows(boot.stages, { now, live }), { width }).map(printable))
    const reasons = boot.stages.flatMap((stage) => (stage.reasons ?? []).map((reason) => `    ${stage.stage}: ${reason}`))
    if (why && reasons.length > 0) lines.push('  why', ...reasons.map(printable))
  })
  if (boots.length > limit) lines.push('', `  → ${count(boots.length - limit, 'earlier boot')}: --boots ${boots.length}`)
  return lines
}

function sentence(boot: Boot, status: string, now: number): string {
  const last = boot.stages.at(-1)
  const took = formatMs(boot.endedAt - boot.startedAt)
  const stage = last?.stage ?? 'unknown'
  if (isLive(boot, status, now)) return `boots since ${formatMs(now - boot.startedAt)}, now at "${stage}"`
  if (stage === 'failed') return `failed ${ago(boot.endedAt, now)}, after ${took}${last?.detail ? `: ${printable(last.detail)}` : ''}`
  if (status === 'installing' && !ENDS.has(stage))
    return `silent since "${stage}" ${ago(boot.endedAt, now)}; look at its screen or serial console`
  return `booted ${ago(boot.startedAt, now)}, ${count(new Set(boot.stages.map((one) => one.stage)).size, 'step')} in ${took}, last "${stage}"`
}

export function isLive(boot: Boot, status: string, now: number): boolean {
  const stage = boot.stages.at(-1)?.stage ?? ''
  return now - boot.endedAt < SILENT_MS && !ENDS.has(stage) && status !== 'ready' && status !== 'failed'
}
