import { SCOPES, type Scope } from '../engines/http/scope.ts'
import type { MemberRow, MembersContext } from './members.ts'

export interface ApiKeyInfo {
  id: string
  name: string
  /** First characters, for people to recognise it. */
  start: string
  scopes: Scope[]
  createdAt: number
  expiresAt?: number | undefined
  lastUsedAt?: number | undefined
}

/** API keys of organisations: better-auth's plugin on the manager's own database. */
export interface ApiKeys {
  create(key: {
    organisation: string
    user?: string | undefined
    name: string
    scopes: readonly Scope[]
    expiresInSeconds?: number | undefined
  }): Promise<{ id: string; key: string }>
  list(organisation: string): Promise<ApiKeyInfo[]>
  /** False when the organisation has no such key. */
  remove(organisation: string, id: string): Promise<boolean>
}

export interface ApiKeyDeps {
  context: Promise<Pick<MembersContext, 'adapter'>>
  /** The plugin's own making, which shows the key once. */
  make(request: {
    body: { name: string; userId: string; organizationId: string; permissions: Record<string, string[]>; expiresIn?: number }
  }): Promise<{ id: string; key: string }>
}

interface KeyRow {
  id: string
  name: string | null
  start: string | null
  referenceId: string
  permissions: string | null
  createdAt: Date
  expiresAt: Date | null
  lastRequest: Date | null
}

export function createApiKeys({ context, make }: ApiKeyDeps): ApiKeys {
  return {
    async create({ organisation, user, name, scopes, expiresInSeconds }) {
      const { adapter } = await context
      const owner = user ?? (await ownerOf(adapter, organisation))
      const made = await make({
        body: {
          name,
          userId: owner,
          organizationId: organisation,
          permissions: toPermissions(scopes),
          ...(expiresInSeconds === undefined ? {} : { expiresIn: expiresInSeconds }),
        },
      })
      return { id: made.id, key: made.key }
    },
    async list(organisation) {
      const { adapter } = await context
      const rows = await adapter.findMany<KeyRow>({ model: 'apikey', where: [{ field: 'referenceId', value: organisation }], limit: 1000 })
      return rows.map(keyInfo)
    },
    async remove(organisation, id) {
      const { adapter } = await context
      const where = [
        { field: 'id', value: id },
        { field: 'referenceId', value: organisation },
      ]
      return (await adapter.deleteMany({ model: 'apikey', where })) > 0
    },
  }
}

async function ownerOf(adapter: MembersContext['adapter'], organisation: string): Promise<string> {
  const members = await adapter.findMany<MemberRow>({
    model: 'member',
    where: [{ field: 'organizationId', value: organisation }],
    limit: 100,
  })
  const owner = members.find((member) => member.role.split(',').includes('owner'))
  if (!owner) throw new Error(`organisation ${organisation} has no owner`)
  return owner.userId
}

/** `sites:read` <-> `{ sites: ['read'] }`; `admin` <-> `{ admin: ['all'] }`. */
function toPermissions(scopes: readonly Scope[]): Record<string, string[]> {
  const permissions: Record<string, string[]> = {}
  for (const scope of scopes) {
    const [resource = scope, action = 'all'] = scope.split(':')
    permissions[resource] = [...(permissions[resource] ?? []), action]
  }
  return permissions
}
export function toScopes(permissions: Record<string, string[]>): Scope[] {
  return SCOPES.filter((scope) => {
    const [resource = scope, action = 'all'] = scope.split(':')
    return permissions[resource]?.includes(action) ?? false
  })
}

function keyInfo(row: KeyRow): ApiKeyInfo {
  return {
    id: row.id,
    name: row.name ?? '',
    start: row.start ?? '',
    scopes: toScopes(row.permissions ? (JSON.parse(row.permissions) as Record<string, string[]>) : {}),
    createdAt: new Date(row.createdAt).getTime(),
    expiresAt: row.expiresAt ? new Date(row.expiresAt).getTime() : undefined,
    lastUsedAt: row.lastRequest ? new Date(row.lastRequest).getTime() : undefined,
  }
}
