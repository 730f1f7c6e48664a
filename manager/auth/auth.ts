import { apiKey } from '@better-auth/api-key'
import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { organization } from 'better-auth/plugins'
import { Problem } from '../engines/http/problem.ts'
import { type Principal, SCOPES, type Scope } from '../engines/http/scope.ts'
import type { Db } from '../engines/store/store.ts'
import { type ApiKeys, createApiKeys, toScopes } from './api-keys.ts'
import { createAttempts } from './attempts.ts'
import { createMembers, type MemberRow, type Members } from './members.ts'
import { type Role, roleOf } from './roles.ts'

/** Who is signed in, as pages show it. */
export interface SessionInfo {
  user: { id: string; name: string; email: string }
  organisation: { id: string; name: string }
  role: Role
}

/** Accounts, organisations, sessions and API keys: better-auth on the manager's own database. */
export interface Auth {
  /** Makes or extends better-auth's tables. Once, before the rest. */
  migrate(): Promise<void>
  /** Serves /api/auth/*. */
  handle(request: Request): Promise<Response>
  /** Who sends these headers; undefined when nobody known does. */
  principal(headers: Headers): Promise<Principal | undefined>
  /** Signs in with a password; the answer carries the session cookie. Undefined: wrong e-mail or password. */
  signIn(email: string, password: string): Promise<Headers | undefined>
  /** The same without counting: for whoever has just set this password. */
  startSession(email: string, password: string): Promise<Headers | undefined>
  members: Members
  /** Undefined when this person is no member of the organisation, or is no person. */
  session(organisation: string, user: string): Promise<SessionInfo | undefined>
  /**
   * Changes the password of whoever sends these headers and ends all other sessions; the answer carries a new cookie. Undefined: `currentPassword`
   * is wrong, which counts as a wrong sign-in.
   */
  changePassword(headers: Headers, person: { email: string; currentPassword: string; password: string }): Promise<Headers | undefined>
  /** Ends the session that these headers carry; the answer takes the cookie away. */
  signOut(headers: Headers): Promise<Headers>
  hasAccounts(): Promise<boolean>
  keys: ApiKeys
  /** Makes the account, its organisation and the membership; again with the same e-mail, it goes on where it stopped. */
  createOwner(owner: {
    email: string
    password: string
    name: string
    organisation: string
  }): Promise<{ user: string; organisation: string }>
}

export interface AuthOptions {
  db: Db
  /** At least 32 secret bytes, as text. */
  secret: string
  /** Where browsers find the manager. */
  baseUrl: string
  trustedOrigins: readonly string[]
  random: (bytes: number) => Uint8Array
  clock: Clock
  log: Log
}

const KEY_PREFIX = 'bh_'
/** The library's own doors that are open. What else it offers (members, keys, organisations) goes through the API, which keeps an audit. */
const DOORS = new Set(['/ok', '/error', '/get-session', '/sign-in/email'])
/** A person's rights by role in the organisation. */
const READ_SCOPES: readonly Scope[] = SCOPES.filter((scope) => scope.endsWith(':read'))

export function createAuth({ clock, random, ...given }: AuthOptions): Auth {
  const options = authOptions(given)
  const auth = betterAuth(options)
  const memberOf = async (user: string): Promise<MemberRow | undefined> => {
    const { adapter } = await auth.$context
    const found = await adapter.findMany<MemberRow>({ model: 'member', where: [{ field: 'userId', value: user }], limit: 1 })
    return found[0]
  }

  const byKey = async (key: string): Promise<Principal | undefined> => {
    const checked = await auth.api.verifyApiKey({ body: { key } })
    if (!checked.valid || !checked.key) return undefined
    const { id, name, referenceId, permissions } = checked.key
    return { organisation: referenceId, actor: { kind: 'key', id, name: name ?? id }, scopes: new Set(toScopes(permissions ?? {})) }
  }
  const bySession = async (headers: Headers): Promise<Principal | undefined> => {
    const found = await auth.api.getSession({ headers })
    const member = found && (await memberOf(found.user.id))
    if (!found || !member) return undefined
    const scopes = roleOf(member.role) === 'member' ? READ_SCOPES : SCOPES
    return {
      organisation: member.organizationId,
      actor: { kind: 'user', id: found.user.id, name: found.user.email },
      scopes: new Set(scopes),
    }
  }

  const signInEmail = (email: string, password: string) => auth.api.signInEmail({ body: { email, password }, asResponse: true })
  const attempts = createAttempts({ clock })
  const counted = async (email: string, signIn: () => Promise<Response>): Promise<Response> => {
    const account = email.toLowerCase().slice(0, 254)
    const wait = attempts.waitSeconds(account)
    if (wait > 0)
      throw new Problem('too-many-requests', `too many wrong passwords; try again in ${wait} s`, {
        headers: { 'retry-after': String(wait) },
      })
    const answer = await signIn()
    if (answer.ok) attempts.succeeded(account)
    else attempts.failed(account)
    return answer
  }

  return {
    async migrate() {
      const { runMigrations } = await getMigrations(options)
      await runMigrations()
    },
    async handle(request) {
      const door = new URL(request.url).pathname.slice('/api/auth'.length)
      if (!DOORS.has(door)) throw new Problem('not-found', `there is nothing at ${request.method} /api/auth${door}`)
      if (door !== '/sign-in/email') return auth.handler(request)
      const { email } = (await request
        .clone()
        .json()
        .catch(() => ({}))) as { email?: unknown } // the library answers what is no JSON
      return counted(String(email), () => auth.handler(request))
    },
    async principal(headers) {
      const bearer = /^Bearer\s+(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
      const key = headers.get('x-api-key') ?? bearer
      if (key !== undefined) return byKey(key)
      return headers.has('cookie') ? bySession(headers) : undefined
    },
    async signIn(email, password) {
      const answer = await counted(email, () => signInEmail(email, password))
      return answer.ok ? answer.headers : undefined
    },
    async startSession(email, password) {
      const answer = await signInEmail(email, password)
      return answer.ok ? answer.headers : undefined
    },
    members: createMembers({ context: auth.$context, random, clock }),
    async session(organisation, user) {
      const { adapter } = await auth.$context
      const member = await memberOf(user)
      if (member?.organizationId !== organisation) return undefined
      const person = await adapter.findOne<{ id: string; name: string; email: string }>({
        model: 'user',
        where: [{ field: 'id', value: user }],
      })
      const group = await adapter.findOne<{ name: string }>({ model: 'organization', where: [{ field: 'id', value: organisation }] })
      if (!person || !group) return undefined
      const { id, name, email } = person
      return { user: { id, name, email }, organisation: { id: organisation, name: group.name }, role: roleOf(member.role) }
    },
    async changePassword(headers, { email, currentPassword, password }) {
      const body = { currentPassword, newPassword: password, revokeOtherSessions: true }
      const answer = await counted(email, () => auth.api.changePassword({ headers, body, asResponse: true }))
      return answer.ok ? answer.headers : undefined
    },
    async signOut(headers) {
      return (await auth.api.signOut({ headers, asResponse: true })).headers
    },
    keys: createApiKeys({ context: auth.$context, make: auth.api.createApiKey }),
    async hasAccounts() {
      const { adapter } = await auth.$context
      return (await adapter.count({ model: 'user' })) > 0
    },
    async createOwner({ email, password, name, organisation }) {
      const context = await auth.$context
      const hash = await context.password.hash(password)
      const known = await context.internalAdapter.findUserByEmail(email, { includeAccounts: true })
      const user = known?.user ?? (await context.internalAdapter.createUser({ email, name, emailVerified: true }, { method: 'admin' }))
      if (known?.accounts.some((account) => account.providerId === 'credential'))
        await context.internalAdapter.updatePassword(user.id, hash)
      else await context.internalAdapter.linkAccount({ userId: user.id, providerId: 'credential', accountId: user.id, password: hash })
      const member = await memberOf(user.id)
      if (member) return { user: user.id, organisation: member.organizationId }
      const slug = organisation.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-') || 'organisation'
      const made = await auth.api.createOrganization({ body: { name: organisation, slug, userId: user.id } })
      if (!made) throw new Error('better-auth made no organisation')
      return { user: user.id, organisation: made.id }
    },
  }
}

function authOptions({ db, secret, baseUrl, trustedOrigins, log }: Omit<AuthOptions, 'clock' | 'random'>) {
  return {
    appName: 'Bridgehead',
    secret,
    baseURL: baseUrl,
    basePath: '/api/auth',
    trustedOrigins: [...trustedOrigins],
    database: { db, type: 'sqlite' as const },
    telemetry: { enabled: false },
    // Accounts come by the set-up link or by invitation, never by whoever finds the page.
    emailAndPassword: { enabled: true, disableSignUp: true, minPasswordLength: 12, maxPasswordLength: 256 },
    logger: {
      level: 'warn' as const,
      disableColors: true,
      log: (level: string, message: string) => log.debug('auth.library', { level, message }),
    },
    // The plain listener (loopback) and the TLS one share sessions; `api/` adds Secure where the request came by TLS.
    advanced: { cookiePrefix: 'bridgehead', useSecureCookies: false, database: { generateId: 'uuid' as const } },
    plugins: [
      organization({
        allowUserToCreateOrganization: false,
        schema: { invitation: { additionalFields: { codeSha256: { type: 'string', required: false, input: false, returned: false } } } },
      }),
      apiKey({
        references: 'organization',
        defaultPrefix: KEY_PREFIX,
        startingCharactersConfig: { charactersLength: 8 },
        rateLimit: { enabled: false },
        maximumNameLength: 100,
      }),
    ],
  }
}
