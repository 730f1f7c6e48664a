import { formatBytes, formatMs } from '@bridgehead/shared/text/format.ts'
import { bootRows, type Row, type StageEvent } from '@bridgehead/shared/text/timeline.ts'
import { Box, Text, Tooltip, VisuallyHidden } from '@mantine/core'
import { type BootState, ticks } from './boot-times.ts'
import { toneColour } from './status.tsx'
import { useNow } from './time.tsx'
import classes from './waterfall.module.css'

/** Nothing came for so long although more should: the bar says so. */
const SLOW = 3
const LEAST_MS = 15_000

/** One boot: a row a stage, time to the right, zero at its first packet. The faint bar behind is the usual time. */
export function Waterfall({
  stages,
  state,
  usual,
}: {
  stages: readonly StageEvent[]
  state: BootState
  usual: ReadonlyMap<string, number>
}) {
  const live = state === 'live'
  const now = useNow(live ? 500 : 60_000)
  const rows = bootRows(stages, { now, live })
  const zero = rows[0]?.from ?? 0
  const end = Math.max(...rows.map((row) => Math.max(row.until, row.from + (usual.get(row.stage) ?? 0))), zero + 1000)
  const share = (ms: number) => `${((ms / (end - zero)) * 100).toFixed(2)}%`
  return (
    <Box role="table" aria-label="Boot timeline" className={classes.table} tabIndex={0}>
      <div role="row" className={classes.scale}>
        <span role="columnheader">Stage</span>
        <span role="columnheader" className={classes.track}>
          <VisuallyHidden>When</VisuallyHidden>
          {ticks(end - zero).map((ms) => (
            <span key={ms} aria-hidden className={classes.tick} style={{ left: share(ms) }}>
              {ms === 0 ? '0' : formatMs(ms)}
            </span>
          ))}
        </span>
        <span role="columnheader">Took</span>
      </div>
      {rows.map((row, index) => (
        <StageRow
          key={row.stage}
          row={row}
          usual={usual.get(row.stage)}
          growing={live && index === rows.length - 1}
          cut={state === 'silent' && index === rows.length - 1}
          after={row.from - zero}
          left={share(row.from - zero)}
          width={(ms) => share(ms)}
        />
      ))}
    </Box>
  )
}

function StageRow({
  row,
  usual,
  growing,
  cut,
  after,
  left,
  width,
}: {
  row: Row
  usual: number | undefined
  growing: boolean
  cut: boolean
  /** Ms since the boot began. */
  after: number
  left: string
  width(ms: number): string
}) {
  const took = row.until - row.from
  const late = growing && took > Math.max((usual ?? 0) * SLOW, LEAST_MS)
  const tone = row.stage === 'failed' ? 'failed' : late || cut ? 'attention' : growing ? 'busy' : 'ok'
  const amount =
    row.bytes === undefined
      ? ''
      : row.total !== undefined && row.bytes < row.total
        ? `${formatBytes(row.bytes)} of ${formatBytes(row.total)}`
        : formatBytes(row.bytes)
  const words = [
    `${row.stage}: ${after === 0 ? 'at once' : `after ${formatMs(after)}`}, ${formatMs(took)} long`,
    tone === 'attention' ? 'nothing came for long' : growing ? 'goes on' : '',
    amount,
    row.to - row.from > 500 && row.bytes !== undefined ? `${formatBytes((row.bytes * 1000) / (row.to - row.from))}/s` : '',
    row.repeats > 0 && row.bytes === undefined ? `${row.repeats + 1} times` : '',
    usual === undefined ? '' : `usually ${formatMs(usual)}`,
    row.detail ?? '',
  ].filter((part) => part !== '')
  return (
    <div role="row" className={classes.row}>
      <Text role="cell" size="sm" component="span">
        {row.stage}
      </Text>
      <Tooltip.Floating label={words.join(' · ')}>
        <span role="cell" className={classes.track} aria-label={words.join(', ')}>
          {usual !== undefined && <span className={classes.usual} style={{ left, width: width(usual) }} />}
          <span className={classes.wait} style={{ left, width: width(took), background: toneColour(tone) }} />
          <span className={classes.bar} style={{ left, width: width(row.to - row.from), background: toneColour(tone) }} />
        </span>
      </Tooltip.Floating>
      <Text role="cell" size="sm" component="span" className={classes.number}>
        {formatMs(took)}
        {amount !== '' && <span className={classes.amount}> {amount}</span>}
      </Text>
    </div>
  )
}
