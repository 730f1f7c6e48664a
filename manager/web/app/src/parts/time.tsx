import { ago } from '@bridgehead/shared/text/ago.ts'
import { Text, type TextProps } from '@mantine/core'
import { useEffect, useState } from 'react'

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
