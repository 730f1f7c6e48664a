import type { MaintenanceWindow } from '@bridgehead/shared/model/maintenance.ts'
import { matches, type Tags } from '@bridgehead/shared/model/tags.ts'
import { readSelector } from '../parts/selector.ts'

export interface WaveWish {
  /** Tells rows apart while they are edited. */
  key: string
  kind: 'percent' | 'selector'
  percent: number | string
  selector: string
}
/** What the form holds. */
export interface RolloutWish {
  release: string
  selector: string
  waves: WaveWish[]
  stopAfterFailures: number | string
  hours: boolean
  window: { from: string; to: string; timeZone: string; days: string[] }
}

/** As the API takes it. Pure. */
export function rolloutOf({ release, selector, waves, stopAfterFailures, hours, window }: RolloutWish) {
  const { days, ...times } = window
  return {
    release,
    selector: selector.trim(),
    waves: waves.map((wave) => (wave.kind === 'percent' ? { percent: Number(wave.percent) } : { selector: wave.selector.trim() })),
    stopAfterFailures: Number(stopAfterFailures),
    ...(hours ? { window: { ...times, ...(days.length === 0 ? {} : { days: days.map(Number).sort() }) } } : {}),
  }
}

interface Box {
  name: string
  tags: Tags
  board: string | undefined
}

/** Sites with a box of this board, and those of them that the selector takes, by name. Pure. */
export function takers(selector: string, board: string | undefined, boxes: readonly Box[]): { all: string[]; taken: Box[]; why?: string } {
  const { terms, wrong } = readSelector(selector)
  const all = boxes.filter((box) => box.board === board)
  const taken = wrong === undefined ? all.filter(({ name, tags }) => matches(terms, { ...tags, site: name })) : []
  return { all: all.map(({ name }) => name), taken, ...(wrong === undefined ? {} : { why: wrong.why }) }
}

/** What a wave takes, in words; `total` sites are in the rollout. Which ones a share takes, the manager decides. Pure. */
export function waveWords(wave: Pick<WaveWish, 'kind' | 'percent' | 'selector'>, taken: readonly Box[]): string {
  if (wave.kind === 'percent') {
    const upTo = Math.ceil((taken.length * Number(wave.percent)) / 100)
    return Number(wave.percent) >= 100 ? 'all that are left' : `until ${upTo} of ${taken.length} have it`
  }
  const { terms, wrong } = readSelector(wave.selector)
  if (wrong !== undefined) return ''
  return nameList(taken.filter(({ name, tags }) => matches(terms, { ...tags, site: name })).map(({ name }) => name))
}

/** `a, b and 3 more`. Pure. */
export function nameList(names: readonly string[], most = 4): string {
  if (names.length === 0) return 'no site'
  const shown = names.slice(0, names.length > most + 1 ? most : names.length)
  const rest = names.length - shown.length
  return rest > 0
    ? `${shown.join(', ')} and ${rest} more`
    : shown.length === 1
      ? (shown[0] ?? '')
      : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}

export const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const

/** `02:00 to 04:00, Europe/Berlin, Saturday and Sunday`. Pure. */
export function windowWords(window: MaintenanceWindow | undefined): string {
  if (!window) return 'at any time'
  const days = window.days?.map((day) => WEEKDAYS[day] ?? '') ?? []
  return [`${window.from} to ${window.to}`, window.timeZone ?? 'UTC', days.length === 0 ? 'every day' : nameList(days, 7)].join(', ')
}
