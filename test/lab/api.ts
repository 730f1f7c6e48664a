import type { EventKind } from '@bridgehead/shared/model/event.ts'
import { sseReader } from '@bridgehead/shared/wire/sse.ts'
import { z } from 'zod'

/** The manager refused; `status` is HTTP's, the message names what was asked and the problem document's words. */
export class ApiError extends Error {
  readonly code = 'api'
  readonly status: number
  constructor(what: string, status: number, body: string) {
    super(`${what}: ${status} ${body.slice(0, 800)}`)
    this.status = status
  }
}

const ApiEvent = z.object({
  seq: z.int(),
  site: z.string(),
  id: z.string(),
  at: z.int(),
  kind: z.string(),
  host: z.string().nullable().optional(),
  data: z.record(z.string(), z.unknown()),
})
export type ApiEvent = Omit<z.infer<typeof ApiEvent>, 'kind'> & { kind: EventKind | (string & {}) }

/** What the lab needs of the manager's API. */
export interface Api {
  readonly url: string
  readonly key: string
  get<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>>
  send<S extends z.ZodType>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body: unknown, schema: S): Promise<z.infer<S>>
  /**
   * Every fact from `after` on, until the signal aborts; connects again by itself when the manager goes and comes back.
   * With `follow: false` it ends after what is there.
   */
  events(options: { after?: number; follow?: boolean; signal: AbortSignal }): AsyncGenerator<ApiEvent>
}

export function createApi({ url, key }: { url: string; key: string }): Api {
  // A connection for each request: who blocks the event loop for seconds (a replayed disk) would use one that the manager has just closed.
  const headers = { authorization: `Bearer ${key}`, connection: 'close' }
  async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    })
    const text = await answer.text()
    if (!answer.ok) throw new ApiError(`${method} ${path}`, answer.status, text)
    return text === '' ? undefined : JSON.parse(text)
  }
  return {
    url,
    key,
    get: async (path, schema) => schema.parse(await ask('GET', path)),
    send: async (method, path, body, schema) => schema.parse(await ask(method, path, body)),
    async *events({ after = 0, follow = true, signal }) {
      let cursor = after
      while (!signal.aborted) {
        try {
          for await (const event of stream(`${url}/api/v1/events?after=${cursor}&follow=${follow}`, headers, signal)) {
            cursor = event.seq
            yield event
          }
        } catch (error) {
          if (!follow || (!signal.aborted && !(error instanceof TypeError))) throw error // TypeError: fetch's word for a lost connection
        }
        if (!follow) return
        if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 300))
      }
    },
  }
}

async function* stream(url: string, headers: Record<string, string>, signal: AbortSignal): AsyncGenerator<ApiEvent> {
  const answer = await fetch(url, { headers, signal })
  if (!answer.ok || !answer.body) throw new ApiError('GET /events', answer.status, await answer.text())
  const read = sseReader()
  for await (const text of answer.body.pipeThrough(new TextDecoderStream()))
    for (const { data } of read(text)) if (data !== '') yield ApiEvent.parse(JSON.parse(data))
}

/** Goes through the one-time set-up link, as a script does. Returns the API key. */
export async function setUp(url: string, token: string): Promise<string> {
  const answer = await fetch(`${url}/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, email: LAB_EMAIL, password: LAB_PASSWORD, name: 'Lab', organisation: 'Lab', apiKey: true }),
  })
  const text = await answer.text()
  if (answer.status !== 201) throw new ApiError('POST /setup', answer.status, text)
  return z.object({ apiKey: z.string() }).parse(JSON.parse(text)).apiKey
}

/** Of the lab's own account, behind loopback, gone with the lab. */
export const LAB_EMAIL = 'lab@example.org'
export const LAB_PASSWORD = 'lab-password-of-this-run'
