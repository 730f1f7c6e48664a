import { Code } from '@mantine/core'
import { useLayoutEffect, useRef } from 'react'

/** So near to its end, a log is held there while it grows. */
const NEAR_PX = 24

/** A log that grows. Whoever scrolled up to read is left there. */
export function LogView({ text }: { text: string }) {
  const place = useRef<HTMLPreElement>(null)
  const atEnd = useRef(true)
  // biome-ignore lint/correctness/useExhaustiveDependencies: new text is what moves it
  useLayoutEffect(() => {
    const { current } = place
    if (current && atEnd.current) current.scrollTop = current.scrollHeight
  }, [text])
  return (
    <Code
      block
      ref={place}
      mah={320}
      style={{ overflow: 'auto' }}
      tabIndex={0}
      role="log"
      aria-label="Log"
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PX
      }}
    >
      {text}
    </Code>
  )
}
