/** What an API key may do. `admin` holds all others. */
export const SCOPES = [
  'sites:read',
  'sites:write',
  'hosts:read',
  'hosts:write',
  'scripts:read',
  'scripts:write',
  'runs:read',
  'runs:write',
  'images:read',
  'images:write',
  'builds:read',
  'builds:write',
  'media:read',
  'media:write',
  'admin',
] as const
export type Scope = (typeof SCOPES)[number]

/** Who sends a request: a signed-in person or an API key, always for one organisation. */
export interface Principal {
  organisation: string
  actor: { kind: 'user' | 'key'; id: string; name: string }
  scopes: ReadonlySet<Scope>
}

export function allows(principal: Principal, scope: Scope): boolean {
  return principal.scopes.has('admin') || principal.scopes.has(scope)
}
