import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Context, MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import { type AuditHint, notedSender } from '../engines/http/audited.ts'
import type { Principal } from '../engines/http/scope.ts'
import type { Db } from '../engines/store/store.ts'
import { actionOf } from './actions.ts'
import { type Detail, detailOf } from './detail.ts'
import { addEntry, type Target } from './records.ts'

export interface AuditDeps {
  db: Db
  /** Who sends these headers. */
  principal(headers: Headers): Promise<Principal | undefined>
  clock: Clock
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Whoever knows one may use it. */
const SECRET_PARAMS = new Set(['code', 'ticket'])

/** Writes an entry for every change that was made, before its answer goes out. When it cannot be written, the answer is an error. */
export function audited({ db, principal, clock }: AuditDeps): MiddlewareHandler {
  return async (c, next) => {
    await next()
    if (READS.has(c.req.method) || c.error || c.res.status >= 400) return
    const action = actionOf(c.req.method, routePath(c, -1), c.req.path)
    if (action === undefined) return
    const sender = await senderOf(c, principal)
    if (!sender) return // nothing came of it: a box that must wait, somebody who was not signed in
    const { organisation, actor } = sender
    const [answer, body] = [await answerOf(c), await bodyOf(c)]
    const target = sender.target ?? targetOf(c, answer, body)
    await addEntry(db, { organisation, at: clock.now(), actor, action, target, detail: detailIn(c, { target, answer, body }) })
  }
}

/** The principal of the request; of a sign-in, whose session the answer begins. */
async function senderOf(c: Context, principal: AuditDeps['principal']): Promise<AuditHint | undefined> {
  const noted = notedSender(c)
  if (noted) return noted
  const known = c.get('principal') as Principal | undefined
  if (known) return known
  const cookies = c.res.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? '')
  return cookies.length > 0 ? principal(new Headers({ cookie: cookies.join('; ') })) : undefined
}

type Fields = Record<string, unknown>
const text = (value: unknown) => (typeof value === 'string' ? value : undefined)

/** What the answer is, where it is one thing. */
async function answerOf(c: Context): Promise<Target> {
  if (!c.res.headers.get('content-type')?.startsWith('application/json')) return {}
  const { id, hash, sha256, name, user } = (await c.res.clone().json()) as Fields & { user?: { email?: unknown } }
  return { id: text(id) ?? text(hash) ?? text(sha256), name: text(name) ?? text(user?.email) }
}

/** The fields of the API's own requests; the handler has read them already. */
async function bodyOf(c: Context): Promise<Fields> {
  const isJson = /^application\/(\S+\+)?json/i.test(c.req.header('content-type') ?? '')
  const body: unknown = isJson && c.req.path.startsWith('/api/v1/') ? await c.req.json() : undefined
  return typeof body === 'object' && body !== null ? (body as Fields) : {}
}

/** What the path names first; of a collection, what the answer is. */
function targetOf(c: Context, answer: Target, { name, email }: Fields): Target | undefined {
  const [named] = openParams(c)
  if (!named) return answer.id === undefined ? undefined : { id: answer.id, name: answer.name ?? text(name) ?? text(email) }
  const [, id] = named
  return answer.id === id || answer.name === id ? answer : { id }
}

/** The fields of the body, the rest of the path, and the id of what was made below the target. */
function detailIn(c: Context, { target, answer, body }: { target: Target | undefined; answer: Target; body: Fields }): Detail {
  const [, ...others] = openParams(c)
  const made = answer.id === undefined || answer.id === target?.id ? {} : { id: answer.id }
  return { ...detailOf(body), ...made, ...Object.fromEntries(others) }
}

const openParams = (c: Context) => Object.entries(c.req.param()).filter(([param]) => !SECRET_PARAMS.has(param))
