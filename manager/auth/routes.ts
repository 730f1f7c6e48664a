import { z } from '@hono/zod-openapi'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import { notFound } from '../engines/http/problem.ts'
import { SCOPES } from '../engines/http/scope.ts'
import type { Auth } from './auth.ts'

const ApiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    start: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    createdAt: z.int(),
    expiresAt: z.int().optional(),
    lastUsedAt: z.int().optional(),
  })
  .openapi('ApiKey')
const NewApiKey = z
  .strictObject({
    name: z.string().min(1).max(100),
    scopes: z.array(z.enum(SCOPES)).min(0).max(SCOPES.length),
    /** One day to one year; without it the key lasts until it is deleted. */
    expiresInDays: z.int().min(1).max(365).optional(),
  })
  .openapi('NewApiKey')

const list = operation('admin', {
  method: 'get',
  path: '/api-keys',
  tags: ['access'],
  summary: 'API keys of the organisation',
  responses: { 200: json(z.object({ items: z.array(ApiKey) }), 'All keys, without their secrets.') },
})
const create = operation('admin', {
  method: 'post',
  path: '/api-keys',
  tags: ['access'],
  summary: 'Make an API key',
  request: { body: body(NewApiKey) },
  responses: { 201: json(z.object({ id: z.string(), key: z.string() }), 'The key; it is shown this once.') },
})
const remove = operation('admin', {
  method: 'delete',
  path: '/api-keys/{id}',
  tags: ['access'],
  summary: 'Delete an API key',
  request: { params: z.object({ id: z.string().max(64) }) },
  responses: { 204: NOTHING },
})
const whoami = operation('any', {
  method: 'get',
  path: '/whoami',
  tags: ['access'],
  summary: 'Who this key or session is',
  responses: {
    200: json(
      z.object({
        organisation: z.string(),
        actor: z.object({ kind: z.enum(['user', 'key']), id: z.string(), name: z.string() }),
        scopes: z.array(z.enum(SCOPES)),
      }),
      'The sender of this request.',
    ),
  },
})

export function apiKeyRoutes({ auth }: { auth: Auth }) {
  return newApp()
    .openapi(whoami, (c) => {
      const { organisation, actor, scopes } = c.get('principal')
      return c.json({ organisation, actor, scopes: [...scopes] }, 200)
    })
    .openapi(list, async (c) => c.json({ items: await auth.keys.list(c.get('principal').organisation) }, 200))
    .openapi(create, async (c) => {
      const { name, scopes, expiresInDays } = c.req.valid('json')
      const { organisation, actor } = c.get('principal')
      const made = await auth.keys.create({
        organisation,
        user: actor.kind === 'user' ? actor.id : undefined,
        name,
        scopes,
        expiresInSeconds: expiresInDays === undefined ? undefined : expiresInDays * 86_400,
      })
      return c.json(made, 201)
    })
    .openapi(remove, async (c) => {
      const { id } = c.req.valid('param')
      if (!(await auth.keys.remove(c.get('principal').organisation, id))) throw notFound('API key', id)
      return c.body(null, 204)
    })
}
