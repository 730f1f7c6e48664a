import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { AuthContext } from 'better-auth'
import { notFound, Problem } from '../engines/http/problem.ts'
import type { Principal } from '../engines/http/scope.ts'
import { createAttempts } from './attempts.ts'
import { type Role, roleOf } from './roles.ts'

export interface MemberInfo {
  id: string
  user: { id: string; name: string; email: string }
  role: Role
  joinedAt: number
}
export interface InvitationInfo {
  id: string
  email: string
  role: Role
  createdAt: number
  expiresAt: number
}
/** What whoever holds the link may know. */
export interface OpenInvitation {
  email: string
  role: Role
  organisation: { name: string }
  expiresAt: number
}

/** Who belongs to an organisation, and who may join it. What needs an owner throws `forbidden` for anybody else. */
export interface Members {
  list(organisation: string): Promise<MemberInfo[]>
  /** Throws `last-owner` when nobody would be left who may do everything for ever. */
  setRole(by: Principal, id: string, role: Role): Promise<MemberInfo>
  /** The account goes with the membership: a person belongs to one organisation. */
  remove(by: Principal, id: string): Promise<void>
  /** `code` is the right to join, shown this once; an earlier invitation of the same address ends. */
  invite(by: Principal, invitation: { email: string; role: Role }): Promise<{ id: string; code: string; expiresAt: number }>
  /** Those that are open, newest first. */
  invitations(organisation: string): Promise<InvitationInfo[]>
  revoke(organisation: string, id: string): Promise<void>
  /** Throws `not-found`, `invitation-spent` or `too-many-requests`. */
  find(code: string): Promise<OpenInvitation>
  /** Makes the account and the membership; the code is spent then. Again after a crash in the middle, it goes on where it stopped. */
  accept(
    code: string,
    person: { name: string; password: string },
  ): Promise<{ id: string; user: string; email: string; organisation: string }>
}

/** The part of better-auth that is used here. */
export interface MembersContext {
  adapter: Pick<AuthContext['adapter'], 'findOne' | 'findMany' | 'count' | 'create' | 'update' | 'updateMany' | 'deleteMany'>
  internalAdapter: Pick<AuthContext['internalAdapter'], 'findUserByEmail' | 'createUser' | 'updatePassword' | 'linkAccount' | 'deleteUser'>
  password: Pick<AuthContext['password'], 'hash'>
}
export interface MembersDeps {
  context: Promise<MembersContext>
  random: (bytes: number) => Uint8Array
  clock: Clock
}

export interface MemberRow {
  id: string
  userId: string
  organizationId: string
  role: string
  createdAt: Date
}
interface InvitationRow {
  id: string
  organizationId: string
  email: string
  role: string | null
  status: string
  expiresAt: Date
  createdAt: Date
  codeSha256: string | null
}
interface Person {
  id: string
  name: string
  email: string
}

/** How long a link can be used. */
export const INVITATION_MS = 7 * 86_400_000
/** The library's own limit is 100 rows. */
const MANY = 10_000

export function createMembers({ context, random, clock }: MembersDeps): Members {
  const attempts = createAttempts({ clock })
  const is = (field: string, value: string) => ({ field, value })

  const membersOf = async (organisation: string) =>
    (await context).adapter.findMany<MemberRow>({ model: 'member', where: [is('organizationId', organisation)], limit: MANY })
  const peopleOf = async (rows: readonly MemberRow[]) => {
    const where = [{ field: 'id', value: rows.map((row) => row.userId), operator: 'in' as const }]
    const people = rows.length === 0 ? [] : await (await context).adapter.findMany<Person>({ model: 'user', where, limit: MANY })
    return new Map(people.map((person) => [person.id, person]))
  }
  const shown = (row: MemberRow, people: Map<string, Person>): MemberInfo[] => {
    const person = people.get(row.userId)
    if (!person) return []
    const { id, name, email } = person
    return [{ id: row.id, user: { id, name, email }, role: roleOf(row.role), joinedAt: new Date(row.createdAt).getTime() }]
  }

  /** Only an owner makes, changes or removes an owner. Keys are nobody's in particular. */
  const checkOwner = (by: Principal, rows: readonly MemberRow[], role: Role) => {
    if (role !== 'owner') return
    const own = by.actor.kind === 'user' ? rows.find((row) => row.userId === by.actor.id) : undefined
    if (!own || roleOf(own.role) !== 'owner')
      throw new Problem('forbidden', 'only an owner who is signed in may invite, change or remove an owner')
  }
  const checkNotLast = (rows: readonly MemberRow[], row: MemberRow) => {
    if (roleOf(row.role) === 'owner' && !rows.some((other) => other.id !== row.id && roleOf(other.role) === 'owner'))
      throw new Problem('last-owner', 'this is the last owner; make somebody else an owner first')
  }
  const memberIn = (rows: readonly MemberRow[], id: string) => {
    const row = rows.find((one) => one.id === id)
    if (!row) throw notFound('member', id)
    return row
  }

  /** One change at a time: two owners who remove each other at once must not both be right. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const done = turn.then(task)
    turn = done.catch(() => undefined) // the caller has the error
    return done
  }

  const openInvitations = async (organisation: string) => {
    const where = [is('organizationId', organisation), is('status', 'pending')]
    const rows = await (await context).adapter.findMany<InvitationRow>({ model: 'invitation', where, limit: MANY })
    return rows.filter((row) => new Date(row.expiresAt).getTime() > clock.now())
  }
  const end = async (id: string, status: 'accepted' | 'canceled') =>
    (await context).adapter.updateMany({ model: 'invitation', where: [is('id', id), is('status', 'pending')], update: { status } })

  /** A code is the id and a secret: so that wrong ones are counted for each invitation, and nobody locks out the others. */
  const opened = async (code: string): Promise<InvitationRow> => {
    const [id = '', secret = ''] = code.split('.')
    const unknown = new Problem('not-found', 'there is no such invitation; copy the link whole, or ask for a new one')
    const row = await (await context).adapter.findOne<InvitationRow>({ model: 'invitation', where: [is('id', id)] })
    if (!row?.codeSha256) throw unknown
    const seconds = attempts.waitSeconds(id)
    if (seconds > 0)
      throw new Problem('too-many-requests', `too many wrong links; try again in ${seconds} s`, {
        headers: { 'retry-after': `${seconds}` },
      })
    if (!timingSafeEqual(Buffer.from(sha256(secret), 'hex'), Buffer.from(row.codeSha256, 'hex'))) {
      attempts.failed(id)
      throw unknown
    }
    if (row.status === 'accepted') throw new Problem('invitation-spent', 'this invitation was used already; sign in')
    if (row.status !== 'pending') throw new Problem('invitation-spent', 'this invitation was taken back; ask for a new one')
    if (new Date(row.expiresAt).getTime() <= clock.now())
      throw new Problem('invitation-spent', 'this invitation has expired; ask for a new one')
    return row
  }

  /** The account of an address that belongs to nobody's organisation, with this password. */
  const account = async (email: string, { name, password }: { name: string; password: string }): Promise<string> => {
    const { internalAdapter, password: passwords, adapter } = await context
    const known = await internalAdapter.findUserByEmail(email, { includeAccounts: true })
    if (known && (await adapter.count({ model: 'member', where: [is('userId', known.user.id)] })) > 0)
      throw new Problem('in-use', `${email} belongs to an organisation of this manager already; sign in, or ask for another address`)
    const hash = await passwords.hash(password)
    const user = known?.user ?? (await internalAdapter.createUser({ email, name, emailVerified: true }, { method: 'admin' }))
    if (known?.accounts.some((one) => one.providerId === 'credential')) await internalAdapter.updatePassword(user.id, hash)
    else await internalAdapter.linkAccount({ userId: user.id, providerId: 'credential', accountId: user.id, password: hash })
    return user.id
  }

  return {
    async list(organisation) {
      const rows = await membersOf(organisation)
      const people = await peopleOf(rows)
      return rows.flatMap((row) => shown(row, people)).sort((a, b) => a.joinedAt - b.joinedAt || (a.id < b.id ? -1 : 1))
    },
    setRole: (by, id, role) =>
      inTurn(async () => {
        const rows = await membersOf(by.organisation)
        const row = memberIn(rows, id)
        checkOwner(by, rows, roleOf(row.role))
        checkOwner(by, rows, role)
        if (role !== 'owner') checkNotLast(rows, row)
        await (await context).adapter.update({ model: 'member', where: [is('id', id)], update: { role } })
        const [member] = shown({ ...row, role }, await peopleOf([row]))
        if (!member) throw notFound('member', id)
        return member
      }),
    remove: (by, id) =>
      inTurn(async () => {
        const rows = await membersOf(by.organisation)
        const row = memberIn(rows, id)
        checkOwner(by, rows, roleOf(row.role))
        checkNotLast(rows, row)
        const { adapter, internalAdapter } = await context
        await adapter.deleteMany({ model: 'member', where: [is('id', id)] })
        await internalAdapter.deleteUser(row.userId)
      }),
    invite: (by, { email, role }) =>
      inTurn(async () => {
        const address = email.toLowerCase()
        const rows = await membersOf(by.organisation)
        checkOwner(by, rows, role)
        const people = await peopleOf(rows)
        if ([...people.values()].some((person) => person.email.toLowerCase() === address))
          throw new Problem('in-use', `${address} is a member already`, { errors: [{ field: 'email', message: 'is a member already' }] })
        for (const old of await openInvitations(by.organisation)) if (old.email === address) await end(old.id, 'canceled')
        const inviterId = by.actor.kind === 'user' ? by.actor.id : rows.find((row) => roleOf(row.role) === 'owner')?.userId
        if (inviterId === undefined) throw new Error(`organisation ${by.organisation} has no owner`)
        const secret = Buffer.from(random(32)).toString('base64url')
        const now = clock.now()
        const expiresAt = now + INVITATION_MS
        const made = await (await context).adapter.create<Record<string, unknown>, { id: string }>({
          model: 'invitation',
          data: {
            organizationId: by.organisation,
            email: address,
            role,
            status: 'pending',
            inviterId,
            createdAt: new Date(now),
            expiresAt: new Date(expiresAt),
            codeSha256: sha256(secret),
          },
        })
        return { id: made.id, code: `${made.id}.${secret}`, expiresAt }
      }),
    async invitations(organisation) {
      const rows = await openInvitations(organisation)
      return rows
        .map(({ id, email, role, createdAt, expiresAt }) => ({
          id,
          email,
          role: roleOf(role ?? ''),
          createdAt: new Date(createdAt).getTime(),
          expiresAt: new Date(expiresAt).getTime(),
        }))
        .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
    },
    async revoke(organisation, id) {
      const row = (await openInvitations(organisation)).find((one) => one.id === id)
      if (!row || (await end(id, 'canceled')) === 0) throw notFound('open invitation', id)
    },
    async find(code) {
      const { organizationId, email, role, expiresAt } = await opened(code)
      const { adapter } = await context
      const organisation = await adapter.findOne<{ name: string }>({ model: 'organization', where: [is('id', organizationId)] })
      return { email, role: roleOf(role ?? ''), organisation: { name: organisation?.name ?? '' }, expiresAt: new Date(expiresAt).getTime() }
    },
    accept: (code, person) =>
      inTurn(async () => {
        const { id, organizationId, email, role } = await opened(code)
        const userId = await account(email, person)
        const data = { organizationId, userId, role: roleOf(role ?? ''), createdAt: new Date(clock.now()) }
        const member = await (await context).adapter.create<Record<string, unknown>, { id: string }>({ model: 'member', data })
        await end(id, 'accepted')
        return { id: member.id, user: userId, email, organisation: organizationId }
      }),
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
