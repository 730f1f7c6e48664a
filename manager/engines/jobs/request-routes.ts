import type { Clock } from '@bridgehead/shared/clock.ts'
import type { BlankInput } from 'hono/types'
import type { JSONParsed } from 'hono/utils/types'
import { z } from 'zod'
import { json, NOTHING, newApp, operation } from '../http/app.ts'
import { type Note, resumeId, streamNotes } from '../http/follow.ts'
import { notFound } from '../http/problem.ts'
import type { Jobs } from './jobs.ts'
import type { Asked, Progress, Requests } from './requests.ts'

/** One room where things are asked for that a job makes. `S` is what the API shows of one. */
export interface RequestRoom<P extends string, T extends Asked, S extends Asked & Progress> {
  /** Such as `images`: `/images`, `/images/{hash}` and so on. */
  path: P
  tag: string
  /** Reading needs `{scope}:read`, the rest `{scope}:write`. */
  scope: 'images' | 'builds' | 'media'
  /** `image`, `host images`: one of them, and all. The event of server-sent events is named `one`. */
  one: string
  many: string
  /** Summary of DELETE: what stays. */
  forget: string
  shape: z.ZodType<S>
  requests: Requests<T>
  jobs: Pick<Jobs, 'status' | 'linesAfter' | 'cancel' | 'follow'>
  clock: Pick<Clock, 'every'>
  show(request: T): Promise<S>
  /** What only the answer to a question for this one has. */
  more?: (shown: S) => Promise<Partial<S>>
  /** What goes with a forgotten request. */
  onForget?: (organisation: string, hash: string) => Promise<void>
}

export const hashParams = z.object({ hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits') })

/** The organisation's own request. Throws Problem `not-found`. */
export async function requestOf<T extends Asked>(
  { requests, one }: { requests: Requests<T>; one: string },
  organisation: string,
  hash: string,
): Promise<T> {
  const request = await requests.find(organisation, hash)
  if (!request) throw notFound(one, hash)
  return request
}

/** Keeps the request, and calls `enqueue` unless it is ready or under way. What failed or was cancelled is made anew. */
export async function ask<T extends Asked, S extends Asked & Progress>(
  { requests, show, more }: Pick<RequestRoom<string, T, S>, 'requests' | 'show' | 'more'>,
  organisation: string,
  wish: T,
  enqueue: () => Promise<unknown>,
): Promise<S> {
  const request = await requests.add(organisation, wish)
  const before = await show(request)
  if (before.state === 'ready') return { ...before, ...(await more?.(before)) }
  if (before.state === 'waiting' || before.state === 'making') return before
  await enqueue()
  return show(request)
}

/** List, get, follow, cancel and forget: what each such room has. How to ask differs, so that the room describes it. */
export function requestRoutes<P extends string, T extends Asked, S extends Asked & Progress>(room: RequestRoom<P, T, S>) {
  const { requests, jobs, show } = room
  const op = operations(room)
  const mine = (c: { get(key: 'principal'): { organisation: string } }, hash: string) =>
    requestOf(room, c.get('principal').organisation, hash)

  const app = newApp<RoomSchema<P, S>>()
  app.openapi(op.list, async (c) => {
    const items = await Promise.all((await requests.list(c.get('principal').organisation)).map(show))
    return c.json({ items }, 200)
  })
  app.openapi(op.get, async (c) => {
    const { hash } = c.req.valid('param')
    const shown = await show(await mine(c, hash))
    const answer: Asked & Progress = { ...shown, ...(await room.more?.(shown)), lines: (await jobs.status(hash))?.lines ?? [] }
    return c.json(answer, 200)
  })
  app.openapi(op.follow, async (c) => {
    const { hash } = c.req.valid('param')
    const after = resumeId(c) ?? c.req.valid('query').after
    const request = await mine(c, hash)
    return streamNotes(c, room.clock, (signal) => progressNotes(room, request, after, signal))
  })
  app.openapi(op.cancel, async (c) => {
    const { hash } = c.req.valid('param')
    await mine(c, hash)
    await jobs.cancel(hash)
    return c.body(null, 204)
  })
  app.openapi(op.forget, async (c) => {
    const { hash } = c.req.valid('param')
    const { organisation } = c.get('principal')
    await mine(c, hash)
    await room.onForget?.(organisation, hash)
    await requests.remove(organisation, hash)
    return c.body(null, 204)
  })
  return app
}

/** Its new lines and its state at each change; once at least, also without a job: ready since long, or lost. */
async function* progressNotes<T extends Asked, S extends Asked & Progress>(
  { jobs, show, one }: Pick<RequestRoom<string, T, S>, 'jobs' | 'show' | 'one'>,
  request: T,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<Note> {
  let newest = after
  let said = ''
  async function* news(): AsyncGenerator<Note> {
    const shown = JSON.stringify(await show(request)) // before the lines: with the last state all of them are told
    const lines = await jobs.linesAfter(request.hash, newest)
    newest = lines.at(-1)?.id ?? newest
    if (lines.length > 0) yield { event: 'log', data: lines, id: newest }
    if (shown !== said) yield { event: one, data: JSON.parse(shown) }
    said = shown
  }
  for await (const _ of jobs.follow(request.hash, signal)) yield* news()
  if (!signal.aborted) yield* news()
}

/** The same for typed clients: what an answer holds is a room's own matter, which hono does not carry through a function by itself. */
type RoomSchema<P extends string, S> = {
  [path in `/${P}`]: { $get: Read<BlankInput, { items: S[] }> }
} & {
  [path in `/${P}/:hash`]: { $get: Read<OfHash, S>; $delete: Done }
} & {
  [path in `/${P}/:hash/cancel`]: { $post: Done }
}
type OfHash = { param: { hash: string } }
type Read<I, O> = { input: I; output: JSONParsed<O>; outputFormat: 'json'; status: 200 }
type Done = { input: OfHash; output: null; outputFormat: 'body'; status: 204 }

function operations<P extends string, T extends Asked, S extends Asked & Progress>({
  path,
  tag,
  scope,
  one,
  many,
  forget,
  shape,
}: RequestRoom<P, T, S>) {
  const read = `${scope}:read` as const
  const write = `${scope}:write` as const
  const tags = [tag]
  const shown: z.ZodType<Asked & Progress> = shape
  const request = { params: hashParams }
  return {
    list: operation(read, {
      method: 'get',
      path: `/${path}`,
      tags,
      summary: `What this organisation asked for: ${many}`,
      responses: { 200: json(z.object({ items: z.array(shown) }), 'Newest first.') },
    }),
    get: operation(read, {
      method: 'get',
      path: `/${path}/{hash}`,
      tags,
      summary: 'One of them, how far it is, what came of it, and the last lines of its log',
      request,
      responses: { 200: json(shown, 'As it is now.') },
    }),
    follow: operation(read, {
      method: 'get',
      path: `/${path}/{hash}/progress`,
      tags,
      summary: 'It now and after each change, and its log line by line, as server-sent events, until it is ready or has failed',
      request: {
        ...request,
        query: z.strictObject({
          /** Id of a line: only those after it. Last-Event-ID says the same. */
          after: z.coerce.number().int().nonnegative().default(0),
        }),
      },
      responses: {
        200: {
          content: { 'text/event-stream': { schema: z.string() } },
          description: `Events \`${one}\`: \`data\` is what GET /${path}/{hash} answers, without \`lines\`. Events \`log\`: \`data\` are its new lines, \`id\` and \`text\`; the message's own \`id\` is that of the last, to resume after it.`,
        },
      },
    }),
    cancel: operation(write, {
      method: 'post',
      path: `/${path}/{hash}/cancel`,
      tags,
      summary: 'Stop making it',
      request,
      responses: { 204: NOTHING },
    }),
    forget: operation(write, { method: 'delete', path: `/${path}/{hash}`, tags, summary: forget, request, responses: { 204: NOTHING } }),
  }
}
