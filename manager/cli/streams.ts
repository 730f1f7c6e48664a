import { type Message, sseReader } from '@bridgehead/shared/wire/sse.ts'
import type { Manager } from './api.ts'
import { Failure } from './failure.ts'
import type { World } from './world.ts'

export interface StreamOptions {
  /** Ends it quietly. */
  signal: AbortSignal
  /** A connection that says nothing for so long is a dead one; the manager's own breaks are 15 s. */
  quietMs?: number | undefined
  /** Ends after what is there, instead of connecting again. */
  once?: boolean
}

/** Proxies and the manager say something every 15 s. */
export const QUIET_MS = 45_000

const WAITS_MS = [200, 500, 1_000, 2_000, 5_000]
const waitMs = (tries: number) => WAITS_MS[tries] ?? 5_000
const LOST = 'the connection to the manager is lost; trying again (Ctrl-C ends this)\n'
/** After these it may be well again. */
const PASSING = new Set(['unreachable', 'not-a-manager', 'internal', 'unavailable'])

/** Asks again while the manager is away, until it answers or `signal` aborts. Throws what will not pass. */
export async function patiently<T>(world: World, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (signal.aborted || !(error instanceof Failure) || !PASSING.has(error.code)) throw error
      if (tries === 0) world.stderr.write(error.code === 'unreachable' ? LOST : `${error.message} (trying again; Ctrl-C ends this)\n`)
    }
    await world.clock.sleep(waitMs(tries), signal)
  }
}

/**
 * The server-sent events of a path below the API's root. Resolves once the manager has begun to answer; then connects again by itself,
 * from the last id on. Says on standard error when it is cut off and when it is back. Throws Failure for what will not pass.
 */
export async function openStream(manager: Manager, path: string, world: World, options: StreamOptions): Promise<AsyncGenerator<Message>> {
  const { signal, once = false } = options
  const ask = (id: string | undefined, abort: AbortSignal) =>
    manager.fetch(path, { headers: { accept: 'text/event-stream', ...(id === undefined ? {} : { 'last-event-id': id }) }, signal: abort })
  const first = new AbortController()
  const begun = await ask(undefined, AbortSignal.any([signal, first.signal])).catch((error: unknown) => {
    if (signal.aborted) return undefined // so soon: the loop below ends at once
    throw error
  })
  return messages()

  async function* messages(): AsyncGenerator<Message> {
    let stop = first
    let answer: Response | undefined = begun
    let last: string | undefined
    let tries = 0
    try {
      while (!signal.aborted) {
        try {
          answer ??= await ask(last, AbortSignal.any([signal, stop.signal]))
          if (tries > 0) world.stderr.write('the connection is back\n')
          tries = 0
          for await (const message of whole(answer, stop)) {
            last = message.id ?? last
            if (message.data !== '') yield message
          }
          if (once || signal.aborted) return
        } catch (error) {
          if (signal.aborted) return
          if (once || (error instanceof Failure && !PASSING.has(error.code))) throw error
        }
        if (tries === 0) world.stderr.write(LOST)
        await world.clock.sleep(waitMs(tries), signal)
        tries++
        answer = undefined
        stop = new AbortController()
      }
    } finally {
      stop.abort()
    }
  }

  async function* whole(answer: Response, stop: AbortController): AsyncGenerator<Message> {
    const read = sseReader()
    const { quietMs } = options
    const text = (answer.body ?? new Blob([]).stream()).pipeThrough(new TextDecoderStream()).getReader()
    // Not by way of fetch: what `AbortSignal.any` and `Request` make is held weakly, and may be gone long before a stream ends.
    const end = () => void text.cancel().catch(() => undefined)
    const ends = [signal, stop.signal]
    for (const one of ends) one.addEventListener('abort', end)
    const watch = () => (quietMs === undefined ? () => {} : world.clock.after(quietMs, () => stop.abort()))
    let cancel = watch()
    try {
      for (;;) {
        const { done, value } = await text.read()
        if (done) return
        cancel()
        cancel = watch()
        yield* read(value)
      }
    } finally {
      cancel()
      for (const one of ends) one.removeEventListener('abort', end)
      end()
    }
  }
}
