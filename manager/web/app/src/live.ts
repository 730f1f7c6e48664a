import { EVENT_KINDS } from '@bridgehead/shared/model/event.ts'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, useEffect, useState } from 'react'
import { type LiveFact, outdatedBy, WHOLE } from './outdated.ts'
import { createPacer } from './pacer.ts'
import { openStream } from './stream.ts'

/** Whether the stream of facts is open; pages say so when it is not. */
export const LiveState = createContext<'open' | 'lost'>('open')

/** One stream keeps every page live; it is resumed by the last id. */
export function useLive(): 'open' | 'lost' {
  const queries = useQueryClient()
  const [state, setState] = useState<'open' | 'lost'>('open')
  useEffect(() => {
    const pacer = createPacer(async (key) =>
      queries.invalidateQueries({ queryKey: key, exact: key.length === 1 && !WHOLE.has(key[0] ?? '') }),
    )
    let lost = false
    const take = (data: string) => {
      for (const key of outdatedBy(JSON.parse(data) as LiveFact)) pacer.add(key)
    }
    const close = openStream('/api/v1/events', {
      take: Object.fromEntries(EVENT_KINDS.map((kind) => [kind, take])),
      opened() {
        setState('open')
        if (lost) void queries.invalidateQueries() // what came while nobody listened, beyond what the stream repeats
        lost = false
      },
      lost() {
        lost = true
        setState('lost')
      },
    })
    return () => {
      close()
      pacer.close()
    }
  }, [queries])
  return state
}
