import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { LogLine } from '../../../../engines/jobs/log-lines.ts'
import type { Made } from '../../../../engines/jobs/requests.ts'
import { openStream } from '../stream.ts'
import { underWay, withLines } from './made.ts'

/** A room of made things: `path` below the API's root, also the key of its queries, and the name of its events. */
export interface Room {
  path: 'media' | 'images' | 'appliance-images'
  event: 'media' | 'image'
}

/** `made` as it is now, and its log as it is written, while `follow`; when it has ended, the room's queries are read again. */
export function useProgress<T extends Made>({ path, event }: Room, made: T, follow: boolean): { now: T; log: readonly LogLine[] } {
  const queries = useQueryClient()
  const [told, tell] = useState<T>()
  const [log, setLog] = useState<readonly LogLine[]>([])
  const open = follow && underWay(made)
  const { hash } = made
  useEffect(() => {
    if (!open) return
    tell(undefined)
    setLog([])
    const close = openStream(`/api/v1/${path}/${hash}/progress`, {
      take: {
        [event]: (data) => {
          const now = JSON.parse(data) as T
          tell(now)
          if (underWay(now)) return
          close() // or the browser would ask again
          void queries.invalidateQueries({ queryKey: [path] })
        },
        log: (data) => setLog((before) => withLines(before, JSON.parse(data) as LogLine[])),
      },
    })
    return close
  }, [open, path, event, hash, queries])
  return { now: open && told ? told : made, log }
}
