import { streamSSE } from 'hono/streaming'
import { z } from 'zod'
import { json, newApp, operation } from '../engines/http/app.ts'
import { HEARTBEAT_MS, resumeId } from '../engines/http/follow.ts'
import type { Db } from '../engines/store/store.ts'
import type { Feed } from './feed.ts'
import { groupBoots } from './timeline.ts'

export interface DistributorDeps {
  db: Db
  feed: Feed
  /** Throws when the organisation has no such host. */
  checkHost(organisation: string, id: string): Promise<void>
  /** Id of a site by id or name. Throws when the organisation has no such site. */
  siteId(organisation: string, idOrName: string): Promise<string>
}

const StageShape = z.object({
  stage: z.string(),
  at: z.int(),
  sinceMs: z.int(),
  bytes: z.int().optional(),
  total: z.int().optional(),
  ms: z.number().optional(),
  detail: z.string().optional(),
  reasons: z.array(z.string()).optional(),
})
const Timeline = z.object({
  boots: z.array(z.object({ boot: z.string(), startedAt: z.int(), endedAt: z.int(), stages: z.array(StageShape) })),
  /** What else happened to the host, oldest first. */
  events: z.array(z.object({ id: z.string(), at: z.int(), kind: z.string(), data: z.record(z.string(), z.unknown()) })),
})
const timeline = operation('hosts:read', {
  method: 'get',
  path: '/hosts/{id}/timeline',
  tags: ['hosts'],
  summary: 'What happened to a host: its boots stage by stage, with time, bytes and reasons',
  request: {
    params: z.object({ id: z.string().max(64) }),
    query: z.strictObject({ limit: z.coerce.number().int().min(1).max(10_000).default(1000) }),
  },
  responses: { 200: json(Timeline, 'The newest events, boots newest first.') },
})
const events = operation('sites:read', {
  method: 'get',
  path: '/events',
  tags: ['events'],
  summary: 'Facts from sites as they come (server-sent events)',
  description:
    'Each message: `id` (resume with Last-Event-ID or ?after=), `event` (the kind), `data` (JSON: seq, site, id, at, kind, host, data). Without either, only what comes from now on (a first message without data tells the id of now); `after=0` begins with the first.',
  request: {
    query: z.strictObject({
      site: z.string().max(100).optional(),
      host: z.string().max(64).optional(),
      after: z.coerce.number().int().nonnegative().optional(),
      /** Ends the stream after what is there already. */
      follow: z.enum(['true', 'false']).default('true'),
    }),
  },
  responses: { 200: { content: { 'text/event-stream': { schema: z.string() } }, description: 'The stream.' } },
})

const PAGE = 500

/** Timelines and the live stream of facts. */
export function distributorRoutes({ db, feed, checkHost, siteId }: DistributorDeps) {
  const read = (organisation: string, after: number, site: string | undefined, host: string | undefined) =>
    db
      .selectFrom('events')
      .selectAll()
      .where('organisation', '=', organisation)
      .where('seq', '>', after)
      .$if(site !== undefined, (query) => query.where('site', '=', site ?? ''))
      .$if(host !== undefined, (query) => query.where('host', '=', host ?? ''))
      .orderBy('seq')
      .limit(PAGE)
      .execute()
  const lastSeq = async () =>
    (
      await db
        .selectFrom('events')
        .select((eb) => eb.fn.max('seq').as('seq'))
        .executeTakeFirst()
    )?.seq ?? 0

  return newApp()
    .openapi(timeline, async (c) => {
      const { organisation } = c.get('principal')
      const { id } = c.req.valid('param')
      await checkHost(organisation, id)
      const rows = await db
        .selectFrom('events')
        .select(['id', 'at', 'kind', 'boot', 'data'])
        .where('host', '=', id)
        .where('organisation', '=', organisation)
        .orderBy('seq', 'desc')
        .limit(c.req.valid('query').limit)
        .execute()
      const all = rows.reverse().map((row) => ({ ...row, data: JSON.parse(row.data) as Record<string, unknown> }))
      const others = all.filter((event) => event.kind !== 'boot.stage' && event.kind !== 'run.output').map(({ boot: _, ...event }) => event)
      return c.json({ boots: groupBoots(all), events: others }, 200)
    })
    .openapi(events, async (c) => {
      const { organisation } = c.get('principal')
      const { site, host, after, follow } = c.req.valid('query')
      const siteFilter = site === undefined ? undefined : await siteId(organisation, site)
      if (host !== undefined) await checkHost(organisation, host)
      const resume = resumeId(c)
      let cursor = resume ?? after ?? (await lastSeq())
      return streamSSE(c, async (stream) => {
        const gone = new AbortController()
        stream.onAbort(() => gone.abort())
        // Readers may be cut off before anything has come: this tells them from where to resume.
        if (resume === undefined && after === undefined) await stream.write(`id: ${cursor}\n\n`)
        while (!stream.aborted && !gone.signal.aborted) {
          const news = feed.next(gone.signal, HEARTBEAT_MS) // before reading, so that nothing slips in between
          const rows = await read(organisation, cursor, siteFilter, host)
          for (const { seq, site, id, at, kind, host, data } of rows) {
            cursor = seq
            await stream.writeSSE({
              id: String(seq),
              event: kind,
              data: JSON.stringify({ seq, site, id, at, kind, host, data: JSON.parse(data) }),
            })
          }
          if (rows.length === PAGE) continue
          if (follow === 'false') break
          const what = await news
          if (what === 'closed') break
          if (what === 'quiet') await stream.write(': still here\n\n')
        }
      })
    })
}
