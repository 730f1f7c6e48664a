import { invalidField, notFound } from '../engines/http/problem.ts'
import type { Tx } from '../engines/store/store.ts'
import { getHost, type HostSurroundings, profileId } from './hosts.ts'
import type { HostIntent } from './model.ts'

/** Throws `not-found` for an unknown profile, `invalid` for an intent that the host cannot follow. */
export async function setIntent(
  tx: Tx,
  around: HostSurroundings,
  organisation: string,
  id: string,
  intent: { id: string; kind: HostIntent['kind']; profile?: string | undefined },
  now: number,
): Promise<HostIntent> {
  const host = await getHost(tx, around, organisation, id)
  if (!host.approved) throw invalidField(['kind'], `"${host.name}" is not approved; approve it first`)
  if (host.retired) throw invalidField(['kind'], `"${host.name}" is retired`)
  if (intent.kind !== 'install' && intent.kind !== 'local-disk')
    throw invalidField(['kind'], `expected "install" or "local-disk": sites have no image yet to boot a machine into "${intent.kind}"`)
  const profile = await profileId(tx, around, organisation, intent.profile)
  if (intent.kind === 'install' && !(profile ?? host.profile))
    throw invalidField(['profile'], `"${host.name}" has no profile; name the one to install`)
  const stored: HostIntent = { id: intent.id, kind: intent.kind, at: now, state: 'pending', attempts: 0, ...(profile ? { profile } : {}) }
  await tx
    .updateTable('hosts')
    .set({ intent: JSON.stringify(stored), revision: host.revision + 1 })
    .where('id', '=', id)
    .execute()
  return stored
}

export async function clearIntent(tx: Tx, organisation: string, id: string): Promise<void> {
  const done = await tx
    .updateTable('hosts')
    .set((eb) => ({ intent: null, revision: eb('revision', '+', 1) }))
    .where('id', '=', id)
    .where('organisation', '=', organisation)
    .executeTakeFirst()
  if (done.numUpdatedRows === 0n) throw notFound('host', id)
}
