const UNITS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'long' })

/** `3 minutes ago`, `in 2 hours`; below a minute `just now` (or `within a minute`), so that nothing flickers. Pure. */
export function ago(at: number, now: number): string {
  const seconds = (at - now) / 1000
  for (const [unit, length] of UNITS) if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit)
  return seconds > 10 ? 'within a minute' : 'just now'
}
