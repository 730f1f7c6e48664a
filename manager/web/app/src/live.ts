import { EVENT_KINDS } from '@bridgehead/shared/model/event.ts'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, useEffect, useState } from 'react'
import { type LiveFact, outdatedBy } from './outdated.ts'
import { createPacer } from './pacer.ts'

/** Whether the stream of facts is open; pages say so when it is not. */
export const LiveState = createContext<'open' | 'lost'>('open')

/** One stream keeps every page live; the browser itself resumes it by the last id. */
export function useLive(): 'open' | 'lost' {
  const queries = useQueryClient()
  const [state, setState] = useState<'open' | 'lost'>('open')
  useEffect(() => {
    const pacer = createPacer(async (key) => queries.invalidateQueries({ queryKey: key, exact: key.length === 1 && key[0] !== 'runs' }))
    const source = new EventSource('/api/v1/events')
    let lost = false
    source.onopen = () => {
      setState('open')
      if (lost) void queries.invalidateQueries() // what came while nobody listened, beyond what the stream repeats
      lost = false
    }
    source.onerror = () => {
      lost = true
      setState('lost')
    }
    const take = (message: MessageEvent<string>) => {
      for (const key of outdatedBy(JSON.parse(message.data) as LiveFact)) pacer.add(key)
    }
    for (const kind of EVENT_KINDS) source.addEventListener(kind, take)
    return () => {
      source.close()
      pacer.close()
    }
  }, [queries])
  return state
}
