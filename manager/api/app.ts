import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from '@bridgehead/shared/log.ts'
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Hono, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { html } from 'hono/html'
import { secureHeaders } from 'hono/secure-headers'
import { type App, type AppEnv, jsonOnly, requires, tooLarge } from '../engines/http/app.ts'
import { compressed } from '../engines/http/compressed.ts'
import { asProblem, PROBLEMS, Problem, problemResponse } from '../engines/http/problem.ts'
import { type Principal, SCOPES } from '../engines/http/scope.ts'

export interface ApiDeps {
  /** Who sends these headers. */
  principal(headers: Headers): Promise<Principal | undefined>
  /** Writes the audit log; around everything that may change something. */
  audited: MiddlewareHandler
  /** better-auth's own routes. */
  authHandler(request: Request): Promise<Response>
  /** What the categories offer below /api/v1. */
  parts: readonly App[]
  /** Pages and whatever else lies outside /api. */
  outside: readonly Hono[]
  version: string
  log: Log
}

const API = '/api/v1'
/** Below /api/v1, these alone need nobody to be signed in. */
const OPEN = [
  `POST ${API}/enrol`,
  `POST ${API}/session`,
  `(GET|HEAD|POST) ${API}/invitations/[^/]+`,
  `(GET|HEAD) ${API}/appliance-images/download/[^/]+`,
].map((pattern) => new RegExp(`^${pattern}$`))
/** These take bytes as they are, and see to type and size themselves. */
const UPLOADS = new Set([`POST ${API}/sources`, `POST ${API}/appliance-images/files`])

/** The whole HTTP face of the manager: the same on the plain and on the TLS listener. */
export function createApi({ principal, audited, authHandler, parts, outside, version, log }: ApiDeps): App {
  const app = new OpenAPIHono<AppEnv>()
  answerErrors(app, log)
  app.use(safeHeaders)
  app.use(secureCookies)
  app.use(`${API}/*`, compressed)
  app.use(audited)
  const unlessUpload =
    (middleware: MiddlewareHandler): MiddlewareHandler =>
    (c, next) =>
      UPLOADS.has(`${c.req.method} ${c.req.path}`) ? next() : middleware(c, next)
  app.use(unlessUpload(bodyLimit({ maxSize: 1024 * 1024, onError: tooLarge })))
  app.get('/healthz', (c) => c.json({ status: 'ok', version }))
  app.on(['GET', 'POST'], '/api/auth/*', (c) => authHandler(c.req.raw))

  app.use(`${API}/*`, async (c, next) => {
    const who = await principal(c.req.raw.headers)
    if (who) c.set('principal', who)
    if (!who && c.req.path === `${API}/reference` && c.req.header('accept')?.includes('text/html'))
      return c.redirect(`/signin?next=${encodeURIComponent(c.req.path)}`, 302) // a person with a browser
    if (!who && !OPEN.some((one) => one.test(`${c.req.method} ${c.req.path}`))) await requires('any')(c, next)
    else await next()
  })
  app.use(`${API}/*`, unlessUpload(jsonOnly))
  for (const part of parts) app.route(API, part)
  describe(app, version)
  app.get(`${API}/openapi.json`, (c) => c.json(document(app, version)))
  reference(app)
  for (const part of outside) app.route('/', part)
  return app
}

const secured = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
  referrerPolicy: 'no-referrer',
  strictTransportSecurity: false, // the certificate is the manager's own until a person puts a public one before it
  crossOriginResourcePolicy: 'same-origin',
  xFrameOptions: 'DENY',
})
/** Of every answer. A page that sets a stricter policy of its own keeps it. */
const safeHeaders: MiddlewareHandler = async (c, next) => {
  let own: string | null = null
  await secured(c, async () => {
    await next()
    own = c.res.headers.get('content-security-policy')
  })
  if (own !== null) c.res.headers.set('content-security-policy', own)
}

/** A cookie that was set over TLS is never sent in clear. */
const secureCookies: MiddlewareHandler = async (c, next) => {
  await next()
  if (!c.req.url.startsWith('https:')) return
  const cookies = c.res.headers.getSetCookie()
  if (cookies.length === 0) return
  c.res.headers.delete('set-cookie')
  for (const cookie of cookies) c.res.headers.append('set-cookie', /;\s*secure/i.test(cookie) ? cookie : `${cookie}; Secure`)
}

/** One place where errors become problem documents. */
export function answerErrors<A extends Hono<AppEnv> | Hono>(app: A, log: Log): void {
  app.onError((error, c) => {
    const problem = asProblem(error)
    if (problem) return problemResponse(problem)
    const id = randomUUID()
    const path = c.req.path.replace(/(\/(download|invitations)\/).*/, '$1...') // a ticket and a code are secrets
    log.error('http.failed', { id, method: c.req.method, path, error })
    return problemResponse(new Problem('internal', `the manager's log tells why under id ${id}`))
  })
  app.notFound((c) => problemResponse(new Problem('not-found', `there is nothing at ${c.req.method} ${c.req.path}`)))
}

function describe(app: App, version: string): void {
  const { openAPIRegistry: registry } = app
  registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer', description: 'An API key.' })
  registry.registerComponent('securitySchemes', 'apiKey', { type: 'apiKey', in: 'header', name: 'x-api-key' })
  registry.registerComponent('securitySchemes', 'session', { type: 'apiKey', in: 'cookie', name: 'bridgehead.session_token' })
  registry.registerComponent('schemas', 'Problem', {
    type: 'object',
    description: `A problem document (RFC 9457) of Bridgehead ${version}.`,
    required: ['type', 'title', 'status', 'detail', 'code'],
    properties: {
      type: { type: 'string', examples: ['urn:bridgehead:problem:invalid'] },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { type: 'string', enum: Object.keys(PROBLEMS) },
      errors: {
        type: 'array',
        items: {
          type: 'object',
          required: ['field', 'message'],
          properties: {
            field: { type: 'string', examples: ['lans[1].subnet'] },
            message: { type: 'string' },
            expected: { type: 'string' },
          },
        },
      },
    },
  })
}

/** OpenAPI 3.1; every operation may answer a problem document. */
export function document(app: App, version: string) {
  const made = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Bridgehead manager',
      version,
      description: `Send an API key as \`Authorization: Bearer ...\` or \`x-api-key\`. Scopes: ${SCOPES.join(', ')}.`,
    },
    servers: [{ url: '/' }],
  })
  const problem = {
    description: 'A problem.',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  for (const path of Object.values(made.paths ?? {}))
    for (const method of ['get', 'put', 'post', 'delete', 'patch'] as const) {
      const found = path[method]
      if (found) found.responses = { ...found.responses, default: problem }
    }
  return made
}

/** The rendered reference; every file comes from this process. */
function reference(app: App): void {
  const directory = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')))
  const files: Record<string, string> = {
    'swagger-ui.css': 'text/css',
    'swagger-ui-bundle.js': 'text/javascript',
  }
  app.get(`${API}/reference`, (c) =>
    c.html(html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Bridgehead API</title>
<link rel="stylesheet" href="${API}/reference/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="${API}/reference/swagger-ui-bundle.js"></script><script src="${API}/reference/start.js"></script></body></html>`),
  )
  app.get(`${API}/reference/start.js`, (c) =>
    c.body(`SwaggerUIBundle({ url: '${API}/openapi.json', dom_id: '#swagger-ui', deepLinking: true })`, 200, {
      'content-type': 'text/javascript',
    }),
  )
  app.get(`${API}/reference/:file`, async (c) => {
    const name = c.req.param('file')
    const type = Object.hasOwn(files, name) ? files[name] : undefined
    if (type === undefined) throw new Problem('not-found', `the reference has no file "${name}"`)
    return c.body(await readFile(join(directory, name)), 200, { 'content-type': type, 'cache-control': 'private, max-age=86400' })
  })
}
