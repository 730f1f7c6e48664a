import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { invalidField } from './problem.ts'

/** One message of a stream. */
export interface Note {
  event: string
  data: unknown
  /** A reader that was cut off sends the last one that it got. */
  id?: number | undefined
}

/** Proxies close streams that say nothing. */
export const HEARTBEAT_MS = 15_000

/** Server-sent events. `notes` shall end when its signal aborts, which it does when the client goes away. */
export function streamNotes(c: Context, clock: Pick<Clock, 'every'>, notes: (signal: AbortSignal) => AsyncIterable<Note>): Response {
  return streamSSE(c, async (stream) => {
    const gone = new AbortController()
    stream.onAbort(() => gone.abort())
    const endBeat = clock.every(HEARTBEAT_MS, () => void stream.write(': still here\n\n').catch(() => gone.abort()))
    try {
      for await (const { event, data, id } of notes(gone.signal))
        await stream.writeSSE({ event, data: JSON.stringify(data), ...(id === undefined ? {} : { id: String(id) }) })
    } finally {
      endBeat()
    }
  })
}

/** After which message a reader goes on; undefined: it is new. Throws Problem when its header names none. */
export function resumeId(c: Context): number | undefined {
  const resume = c.req.header('last-event-id')
  if (resume === undefined) return undefined
  if (!/^\d{1,16}$/.test(resume)) throw invalidField(['last-event-id'], 'expected the id of an earlier message')
  return Number(resume)
}
