import { z } from '@hono/zod-openapi'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import { noteSender } from '../engines/http/audited.ts'
import type { Auth } from './auth.ts'
import { INVITATION_MS } from './members.ts'
import { ROLES } from './roles.ts'
import { answerSession, Session } from './session-routes.ts'

export interface MemberRoutesDeps {
  auth: Pick<Auth, 'members' | 'session' | 'principal' | 'startSession'>
  /** Where people reach this manager, such as `https://manager.example:8443`. */
  publicUrl: string
}

const Email = z.email({ error: 'expected an e-mail address' }).max(254)
const Role = z.enum(ROLES, { error: `expected one of ${ROLES.join(', ')}` })
const Member = z
  .object({
    id: z.string(),
    user: z.object({ id: z.string(), name: z.string(), email: z.string() }),
    role: Role,
    joinedAt: z.int(),
  })
  .openapi('Member')
const Invitation = z.object({ id: z.string(), email: z.string(), role: Role, createdAt: z.int(), expiresAt: z.int() }).openapi('Invitation')
const NewInvitation = z.strictObject({ email: Email, role: Role.default('member') })
const MadeInvitation = z.object({
  id: z.string(),
  /** Whoever opens it may join; shown this once. */
  link: z.url(),
  expiresAt: z.int(),
})
const OpenInvitation = z.object({ email: z.string(), role: Role, organisation: z.object({ name: z.string() }), expiresAt: z.int() })
const NewMember = z.strictObject({
  name: z.string().trim().min(1, 'expected your name').max(100),
  password: z.string().min(12, 'expected at least 12 characters').max(256),
})

const tags = ['access']
const params = z.object({ id: z.string().max(64) })
const byCode = { params: z.object({ code: z.string().max(100) }) }
const op = {
  list: operation('admin', {
    method: 'get',
    path: '/members',
    tags,
    summary: 'People of the organisation',
    responses: { 200: json(z.object({ items: z.array(Member) }), 'By when they joined.') },
  }),
  change: operation('admin', {
    method: 'patch',
    path: '/members/{id}',
    tags,
    summary: 'Give a person another role',
    description: 'Owners and admins may do everything, members read. Only an owner makes or unmakes an owner, and one always stays.',
    request: { params, body: body(z.strictObject({ role: Role })) },
    responses: { 200: json(Member, 'As it is now; it holds from the next request on.') },
  }),
  remove: operation('admin', {
    method: 'delete',
    path: '/members/{id}',
    tags,
    summary: 'Remove a person, with the account and its sessions; API keys stay',
    request: { params },
    responses: { 204: NOTHING },
  }),
  invitations: operation('admin', {
    method: 'get',
    path: '/members/invitations',
    tags,
    summary: 'Invitations that can still be used, newest first',
    responses: { 200: json(z.object({ items: z.array(Invitation) }), 'Without their links.') },
  }),
  invite: operation('admin', {
    method: 'post',
    path: '/members/invitations',
    tags,
    summary: 'Invite a person by a link',
    description: `No mail is sent: hand the link over yourself. It works once, for ${INVITATION_MS / 86_400_000} days; an earlier one for the same address ends.`,
    request: { body: body(NewInvitation) },
    responses: { 201: json(MadeInvitation, 'The link; it is shown this once.') },
  }),
  revoke: operation('admin', {
    method: 'delete',
    path: '/members/invitations/{id}',
    tags,
    summary: 'Take an invitation back',
    request: { params },
    responses: { 204: NOTHING },
  }),
  open: operation('open', {
    method: 'get',
    path: '/invitations/{code}',
    tags,
    summary: 'What an invitation is for',
    description: 'Open: the code in the link is the right to it.',
    request: byCode,
    responses: { 200: json(OpenInvitation, 'Who is invited to what.') },
  }),
  accept: operation('open', {
    method: 'post',
    path: '/invitations/{code}',
    tags,
    summary: 'Join: makes the account and signs in',
    description: 'Open: the code in the link is the right to it, once.',
    request: { ...byCode, body: body(NewMember) },
    responses: { 201: json(Session, 'The session; its cookie comes with the answer.') },
  }),
}

/** Who belongs to the organisation. */
export function memberRoutes({ auth, publicUrl }: MemberRoutesDeps) {
  const { members } = auth
  return newApp()
    .openapi(op.list, async (c) => c.json({ items: await members.list(c.get('principal').organisation) }, 200))
    .openapi(op.change, async (c) =>
      c.json(await members.setRole(c.get('principal'), c.req.valid('param').id, c.req.valid('json').role), 200),
    )
    .openapi(op.remove, async (c) => {
      await members.remove(c.get('principal'), c.req.valid('param').id)
      return c.body(null, 204)
    })
    .openapi(op.invitations, async (c) => c.json({ items: await members.invitations(c.get('principal').organisation) }, 200))
    .openapi(op.invite, async (c) => {
      const { id, code, expiresAt } = await members.invite(c.get('principal'), c.req.valid('json'))
      return c.json({ id, link: new URL(`/invite/${code}`, publicUrl).href, expiresAt }, 201, { 'cache-control': 'no-store' })
    })
    .openapi(op.revoke, async (c) => {
      await members.revoke(c.get('principal').organisation, c.req.valid('param').id)
      return c.body(null, 204)
    })
    .openapi(op.open, async (c) => c.json(await members.find(c.req.valid('param').code), 200, { 'cache-control': 'no-store' }))
    .openapi(op.accept, async (c) => {
      const person = c.req.valid('json')
      const { id, user, email, organisation } = await members.accept(c.req.valid('param').code, person)
      noteSender(c, { organisation, actor: { kind: 'user', id: user, name: email }, target: { id, name: email } })
      return answerSession(c, auth, await auth.startSession(email, person.password), 201)
    })
}
