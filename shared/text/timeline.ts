import { formatBytes, formatMs } from './format.ts'

/** One `boot.stage` event. Times are epoch ms. */
export interface StageEvent {
  at: number
  stage: string
  bytes?: number | undefined
  total?: number | undefined
  /** How long the data took; the stage began that long before `at`. */
  ms?: number | undefined
  detail?: string | undefined
  reasons?: readonly string[] | undefined
}

/** A stage of one boot: `from`..`to` something was done, `to`..`until` the next stage was awaited. */
export interface Row {
  stage: string
  from: number
  to: number
  until: number
  bytes?: number | undefined
  total?: number | undefined
  /** Events of this stage beyond the first. */
  repeats: number
  detail?: string | undefined
}

/** Stages in order; repeats of one stage are one row. The last row lasts until `now` while the boot is `live`. Pure. */
export function bootRows(events: readonly StageEvent[], { now, live }: { now: number; live: boolean }): Row[] {
  const rows: Row[] = []
  for (const event of events) {
    const same = rows.find((row) => row.stage === event.stage)
    if (same) {
      same.to = Math.max(same.to, event.at)
      same.repeats++
      if (event.bytes !== undefined) same.bytes = Math.max(same.bytes ?? 0, event.bytes)
      same.total = event.total ?? same.total
    } else {
      const { at, stage, ms = 0, bytes, total, detail } = event
      rows.push({ stage, from: at - ms, to: at, until: at, bytes, total, repeats: 0, detail })
    }
  }
  rows.forEach((row, index) => {
    const next = rows[index + 1]
    row.until = Math.max(row.to, next ? next.from : live ? now : row.to)
  })
  return rows
}

/** Rows as text bars: `█` work, `·` waiting for what comes next; zero is the first stage. `width` is the terminal's. */
export function drawBoot(rows: readonly Row[], { width }: { width: number }): string[] {
  const first = rows[0]
  if (!first) return []
  const zero = first.from
  const end = Math.max(...rows.map((row) => row.until), zero + 1000)
  const columns = Math.max(16, Math.min(60, width - 48))
  const column = (at: number) => Math.round(((at - zero) / (end - zero)) * (columns - 1))
  return rows.map((row) => {
    const from = column(row.from)
    const to = Math.max(from, column(row.to))
    const until = Math.max(to, column(row.until))
    const bar = `${' '.repeat(from)}${'█'.repeat(to - from + 1)}${'·'.repeat(until - to)}`.padEnd(columns)
    return `  ${row.stage.padEnd(11)}${formatMs(row.from - zero).padStart(12)} ${bar} ${numbers(row)}`.trimEnd()
  })
}

function numbers({ from, to, until, bytes, total, repeats, stage }: Row): string {
  const took = formatMs(until - from)
  const parts = [took]
  if (bytes !== undefined) {
    parts.push(total !== undefined && bytes < total ? `${formatBytes(bytes)} of ${formatBytes(total)}` : formatBytes(bytes))
    if (to - from > 500) parts.push(`${formatBytes((bytes * 1000) / (to - from))}/s`)
  }
  if (repeats > 0 && bytes === undefined && stage !== 'configure') parts.push(`${repeats + 1} times`)
  return parts.join('  ')
}
