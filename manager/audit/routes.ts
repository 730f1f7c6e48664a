import { z } from '@hono/zod-openapi'
import { json, newApp, operation } from '../engines/http/app.ts'
import type { Db } from '../engines/store/store.ts'
import { listEntries } from './records.ts'

const AuditEntry = z
  .object({
    /** The manager's own order; send the last one as `before` to go on. */
    seq: z.int(),
    at: z.int(),
    actor: z.object({ kind: z.enum(['user', 'key', 'appliance']), id: z.string(), name: z.string() }),
    /** `thing.verb`, such as `site.create`. */
    action: z.string(),
    target: z.object({ id: z.string().optional(), name: z.string().optional() }).optional(),
    /** Fields of the request, without secrets and without what is long. */
    detail: z.record(z.string(), z.unknown()),
  })
  .openapi('AuditEntry')

const list = operation('admin', {
  method: 'get',
  path: '/audit',
  tags: ['access'],
  summary: 'Who changed what, newest first',
  request: {
    query: z.strictObject({
      before: z.coerce.number().int().positive().optional(),
      limit: z.coerce.number().int().min(1).max(500).default(100),
      /** Id of a site, host, script or whatever else was changed. */
      target: z.string().max(100).optional(),
      /** Id of a person, key or site. */
      actor: z.string().max(100).optional(),
      /** A word, or its beginning: `site` takes `site.create` and `site.token.create`. */
      action: z
        .string()
        .regex(/^[a-z-]+(\.[a-z-]+)*$/, 'expected a word of the log, such as site.create, or its beginning, such as site')
        .optional(),
    }),
  },
  responses: { 200: json(z.object({ items: z.array(AuditEntry) }), 'The entries before that one.') },
})

export function auditRoutes({ db }: { db: Db }) {
  return newApp().openapi(list, async (c) =>
    c.json({ items: await listEntries(db, c.get('principal').organisation, c.req.valid('query')) }, 200),
  )
}
