import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'

/**
 * Server-sent events: what `show` says at each of `changes`, as JSON under the name `event`; once at least. `changes` shall end when its
 * signal aborts, which it does when the client goes away.
 */
export function followChanges(
  c: Context,
  event: string,
  changes: (signal: AbortSignal) => AsyncIterable<unknown>,
  show: () => Promise<unknown>,
): Response {
  return streamSSE(c, async (stream) => {
    const gone = new AbortController()
    stream.onAbort(() => gone.abort())
    const send = async () => stream.writeSSE({ event, data: JSON.stringify(await show()) })
    let told = false
    for await (const _ of changes(gone.signal)) {
      await send()
      told = true
    }
    if (!told && !gone.signal.aborted) await send()
  })
}
