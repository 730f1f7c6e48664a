import { createRoute, OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import type { BlankSchema, Schema } from 'hono/types'
import type { z } from 'zod'
import { Problem, problemOf } from './problem.ts'
import { allows, type Principal, type Scope } from './scope.ts'

export interface AppEnv {
  Variables: {
    /** Set for every request that passed `requires`. */
    principal: Principal
    requestId: string
  }
}
export type App = OpenAPIHono<AppEnv>

/** A part of the API; `api/` mounts it. Wrong input becomes a problem that names the fields. `S`: what a client is to know of it beforehand. */
export function newApp<S extends Schema = BlankSchema>() {
  return new OpenAPIHono<AppEnv, S>({
    defaultHook(result) {
      if (result.success) return
      const within = { json: undefined, query: 'query', param: 'path' }[result.target as string] ?? undefined
      throw problemOf(result.error, within)
    },
  })
}

/** An operation that needs `scope` (or a principal of any scope, or nothing: `open`). */
export function operation<P extends string, R extends Omit<RouteConfig, 'path'> & { path: P }>(scope: Scope | 'any' | 'open', config: R) {
  const guarded = scope === 'open' ? config : { ...config, middleware: requires(scope), security: security(scope) }
  return createRoute<P, R>(guarded as R)
}

export function requires(scope: Scope | 'any'): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const principal = c.get('principal') as Principal | undefined
    if (!principal)
      throw new Problem('unauthenticated', 'send an API key as "Authorization: Bearer ..." or "x-api-key", or sign in', {
        headers: { 'www-authenticate': 'Bearer realm="bridgehead"' },
      })
    if (scope !== 'any' && !allows(principal, scope))
      throw new Problem('forbidden', `this needs the scope "${scope}"; the key has ${[...principal.scopes].join(', ') || 'none'}`)
    await next()
  }
}

export function json<T extends z.ZodType>(schema: T, description: string) {
  return { content: { 'application/json': { schema } }, description } as const
}
export function body<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } } as const
}
export const NOTHING = { description: 'Done; nothing to say.' } as const

/** Refuses bodies that are not JSON (also what a foreign web page could send without asking first). */
export const jsonOnly: MiddlewareHandler = async (c, next) => {
  const method = c.req.method
  const hasBody = c.req.header('transfer-encoding') !== undefined || Number(c.req.header('content-length') ?? 0) > 0
  const type = c.req.header('content-type')
  if (method !== 'GET' && method !== 'HEAD' && (hasBody || type !== undefined) && !/^application\/(\S+\+)?json\s*(;|$)/i.test(type ?? ''))
    throw new Problem('content-type', `expected content-type application/json, got ${type === undefined ? 'none' : `"${type}"`}`)
  await next()
}

export const tooLarge = () => {
  const message = 'expected at most 1 MiB (1,048,576 bytes)'
  throw new Problem('too-large', `body: ${message}`, { errors: [{ field: 'body', message }] })
}

function security(scope: Scope | 'any') {
  const scopes = scope === 'any' ? [] : [scope]
  return [{ bearer: scopes }, { apiKey: scopes }, { session: scopes }]
}
