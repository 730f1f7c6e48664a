import { EVENT_KINDS } from '@bridgehead/shared/model/event.ts'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, useEffect, useRef, useState } from 'react'
import { sessionQuery } from './api/queries.ts'
import { type LiveFact, outdatedBy, WHOLE } from './outdated.ts'
import { createPacer } from './pacer.ts'
import { openStream } from './stream.ts'

/** Whether the stream of facts is open; pages say so when it is not. */
export const LiveState = createContext<'open' | 'lost'>('open')

/** One stream keeps every page live; it is resumed by the last id. `ended`: nobody is signed in, so that it waits. */
export function useLive(ended: boolean): 'open' | 'lost' {
  const queries = useQueryClient()
  const [state, setState] = useState<'open' | 'lost'>('open')
  const missed = useRef(false) // outlives the streams
  useEffect(() => {
    if (ended) return
    const pacer = createPacer(async (key) =>
      queries.invalidateQueries({ queryKey: key, exact: key.length === 1 && !WHOLE.has(key[0] ?? '') }),
    )
    const take = (data: string) => {
      for (const key of outdatedBy(JSON.parse(data) as LiveFact)) pacer.add(key)
    }
    const close = openStream('/api/v1/events', {
      take: Object.fromEntries(EVENT_KINDS.map((kind) => [kind, take])),
      opened() {
        setState('open')
        if (missed.current) void queries.invalidateQueries() // what came while nobody listened, beyond what the stream repeats
        missed.current = false
      },
      lost() {
        missed.current = true
        setState('lost')
        void queries.invalidateQueries(sessionQuery) // has the session ended?
      },
    })
    return () => {
      close()
      pacer.close()
      missed.current = true
    }
  }, [queries, ended])
  return state
}
