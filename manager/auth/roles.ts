/** What a person is in the organisation. Owners and admins may do everything, members read; only owners make and unmake owners. */
export const ROLES = ['owner', 'admin', 'member'] as const
export type Role = (typeof ROLES)[number]

/** The strongest of the roles that better-auth keeps, separated by commas. */
export function roleOf(kept: string): Role {
  const roles = kept.split(',').map((role) => role.trim())
  return ROLES.find((role) => roles.includes(role)) ?? 'member'
}
