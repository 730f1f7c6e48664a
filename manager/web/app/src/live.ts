import { EVENT_KINDS } from '@bridgehead/shared/model/event.ts'
import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { createContext, useEffect, useState } from 'react'
import { type LiveFact, outdatedBy } from './outdated.ts'

/** Facts that come together make one look at the manager. */
const BATCH_MS = 300

/** Whether the stream of facts is open; pages say so when it is not. */
export const LiveState = createContext<'open' | 'lost'>('open')

/** One stream keeps every page live; the browser itself resumes it by the last id. */
export function useLive(): 'open' | 'lost' {
  const queries = useQueryClient()
  const [state, setState] = useState<'open' | 'lost'>('open')
  useEffect(() => {
    const batch = createBatch(queries)
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
    const take = (message: MessageEvent<string>) => batch.add(JSON.parse(message.data) as LiveFact)
    for (const kind of EVENT_KINDS) source.addEventListener(kind, take)
    return () => {
      source.close()
      batch.close()
    }
  }, [queries])
  return state
}

function createBatch(queries: QueryClient) {
  const waiting = new Map<string, string[]>()
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    timer = undefined
    for (const key of waiting.values()) void queries.invalidateQueries({ queryKey: key, exact: key.length === 1 && key[0] !== 'runs' })
    waiting.clear()
  }
  return {
    add(fact: LiveFact) {
      for (const key of outdatedBy(fact)) waiting.set(key.join('/'), key)
      timer ??= setTimeout(flush, BATCH_MS)
    },
    close: () => clearTimeout(timer),
  }
}
