import { Text, type TextProps } from '@mantine/core'
import { useEffect, useState } from 'react'

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

export function useNow(everyMs = 10_000): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

/** Relative, with the exact time on hover. */
export function Ago({ at, ...props }: { at: number } & TextProps) {
  const now = useNow()
  const date = new Date(at)
  return (
    <Text component="time" size="sm" {...props} {...{ dateTime: date.toISOString(), title: date.toLocaleString() }}>
      {ago(at, now)}
    </Text>
  )
}
