import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type AppEnv, body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import { invalidField, Problem } from '../engines/http/problem.ts'
import { type Principal, SCOPES } from '../engines/http/scope.ts'
import type { Auth } from './auth.ts'
import { ROLES } from './roles.ts'

export const Session = z
  .object({
    user: z.object({ id: z.string(), name: z.string(), email: z.string() }),
    organisation: z.object({ id: z.string(), name: z.string() }),
    role: z.enum(ROLES),
    /** What this person may do; `admin` holds all others. */
    scopes: z.array(z.enum(SCOPES)),
  })
  .openapi('Session')
const Credentials = z.strictObject({
  email: z.email({ error: 'expected an e-mail address' }).max(254),
  password: z.string().min(1, 'expected the password').max(256),
})

const NewPassword = z.strictObject({
  currentPassword: z.string().min(1, 'expected the present password').max(256),
  password: z.string().min(12, 'expected at least 12 characters').max(256),
})

const tags = ['access']
const op = {
  get: operation('any', {
    method: 'get',
    path: '/session',
    tags,
    summary: 'Who is signed in',
    description: 'Of a person only: `GET /whoami` tells of an API key.',
    responses: { 200: json(Session, 'The person, the organisation and what this person may do.') },
  }),
  signIn: operation('open', {
    method: 'post',
    path: '/session',
    tags,
    summary: 'Sign in',
    description: 'Open. After ten wrong passwords an account rests for a minute.',
    request: { body: body(Credentials) },
    responses: { 200: json(Session, 'The session; its cookie comes with the answer.') },
  }),
  password: operation('any', {
    method: 'post',
    path: '/session/password',
    tags,
    summary: 'Change the own password; all other sessions end',
    request: { body: body(NewPassword) },
    responses: { 200: json(Session, 'The session; it goes on by the cookie that comes with the answer.') },
  }),
  signOut: operation('any', {
    method: 'post',
    path: '/session/signout',
    tags,
    summary: 'Sign out',
    responses: { 204: NOTHING },
  }),
}

/** The session of a person in a browser. */
export function sessionRoutes({ auth }: { auth: Auth }) {
  return newApp()
    .openapi(op.get, async (c) => c.json(await shown(auth, c.get('principal')), 200, { 'cache-control': 'no-store' }))
    .openapi(op.signIn, async (c) => {
      const { email, password } = c.req.valid('json')
      return answerSession(c, auth, await auth.signIn(email, password), 200)
    })
    .openapi(op.password, async (c) => {
      const { user } = await shown(auth, c.get('principal'))
      const changed = await auth.changePassword(c.req.raw.headers, { email: user.email, ...c.req.valid('json') })
      if (!changed) throw invalidField(['currentPassword'], 'this is not the present password')
      return answerSession(c, auth, changed, 200)
    })
    .openapi(op.signOut, async (c) => {
      const signedOut = await auth.signOut(c.req.raw.headers)
      for (const cookie of signedOut.getSetCookie()) c.header('set-cookie', cookie, { append: true })
      return c.body(null, 204)
    })
}

/** Answers with the session that was just begun, and with its cookie. */
export async function answerSession<S extends 200 | 201>(
  c: Context<AppEnv>,
  auth: Pick<Auth, 'principal' | 'session'>,
  begun: Headers | undefined,
  status: S,
) {
  const cookies = begun?.getSetCookie() ?? []
  const principal = await auth.principal(new Headers({ cookie: cookies.map((cookie) => cookie.split(';')[0]).join('; ') }))
  if (!principal) throw new Problem('unauthenticated', 'wrong e-mail or password')
  const session = await shown(auth, principal)
  for (const cookie of cookies) c.header('set-cookie', cookie, { append: true })
  return c.json(session, status, { 'cache-control': 'no-store' })
}

async function shown(auth: Pick<Auth, 'session'>, { organisation, actor, scopes }: Principal): Promise<z.infer<typeof Session>> {
  const session = actor.kind === 'user' ? await auth.session(organisation, actor.id) : undefined
  if (!session) throw new Problem('not-found', 'nobody is signed in: this request comes with an API key, of which GET /api/v1/whoami tells')
  return { ...session, scopes: [...scopes] }
}
