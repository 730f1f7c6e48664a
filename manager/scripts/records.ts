import type { Profile as StateProfile, Script as StateScript } from '@bridgehead/shared/model/state.ts'
import { invalidField, notFound, Problem } from '../engines/http/problem.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import type { NewProfile, NewScript, Profile, ProfileBody, Script } from './model.ts'

export async function listScripts(db: Db | Tx, organisation: string): Promise<Script[]> {
  const rows = await scriptQuery(db).where('scripts.organisation', '=', organisation).orderBy('scripts.name').execute()
  return rows.map((row) => ({ ...row, kind: row.kind as Script['kind'] }))
}

/** By id or name. */
export async function findScript(db: Db | Tx, organisation: string, idOrName: string): Promise<Script | undefined> {
  const row = await scriptQuery(db)
    .where('scripts.organisation', '=', organisation)
    .where((eb) => eb.or([eb('scripts.id', '=', idOrName), eb('scripts.name', '=', idOrName)]))
    .executeTakeFirst()
  return row && { ...row, kind: row.kind as Script['kind'] }
}

export async function getScript(db: Db | Tx, organisation: string, idOrName: string, version?: number): Promise<Script> {
  const script = await findScript(db, organisation, idOrName)
  if (!script) throw notFound('script', idOrName)
  if (version === undefined || version === script.version) return script
  const old = await db
    .selectFrom('script_versions')
    .selectAll()
    .where('script', '=', script.id)
    .where('version', '=', version)
    .executeTakeFirst()
  if (!old) throw notFound('script version', `${idOrName} ${version}`)
  return { ...script, version, text: old.text, createdAt: old.created_at }
}

/** A new script, or the next version of the one with this id; old versions stay. */
export async function putScript(tx: Tx, organisation: string, id: string, script: NewScript, now: number): Promise<void> {
  await checkName(tx, 'scripts', organisation, id, script.name)
  const old = await tx.selectFrom('scripts').select('version').where('id', '=', id).executeTakeFirst()
  const version = (old?.version ?? 0) + 1
  const values = { name: script.name, kind: script.kind, version }
  await tx
    .insertInto('scripts')
    .values({ id, organisation, created_at: now, ...values })
    .onConflict((on) => on.column('id').doUpdateSet(values))
    .execute()
  await tx.insertInto('script_versions').values({ script: id, version, organisation, text: script.text, created_at: now }).execute()
}

/** Throws `in-use` while a profile names it. */
export async function deleteScript(tx: Tx, organisation: string, id: string): Promise<void> {
  for (const profile of await listProfiles(tx, organisation))
    if (profile.ipxe === id || profile.postInstall === id) throw new Problem('in-use', `profile "${profile.name}" uses this script`)
  const done = await tx.deleteFrom('scripts').where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (done.numDeletedRows === 0n) throw notFound('script', id)
}

export async function listProfiles(db: Db | Tx, organisation: string): Promise<Profile[]> {
  const rows = await profileQuery(db).where('profiles.organisation', '=', organisation).orderBy('profiles.name').execute()
  return rows.map(toProfile)
}

export async function findProfile(db: Db | Tx, organisation: string, idOrName: string): Promise<Profile | undefined> {
  const row = await profileQuery(db)
    .where('profiles.organisation', '=', organisation)
    .where((eb) => eb.or([eb('profiles.id', '=', idOrName), eb('profiles.name', '=', idOrName)]))
    .executeTakeFirst()
  return row && toProfile(row)
}

export async function getProfile(db: Db | Tx, organisation: string, idOrName: string, version?: number): Promise<Profile> {
  const profile = await findProfile(db, organisation, idOrName)
  if (!profile) throw notFound('profile', idOrName)
  if (version === undefined || version === profile.version) return profile
  const old = await db
    .selectFrom('profile_versions')
    .selectAll()
    .where('profile', '=', profile.id)
    .where('version', '=', version)
    .executeTakeFirst()
  if (!old) throw notFound('profile version', `${idOrName} ${version}`)
  const { id, name } = profile
  return toProfile({ id, name, version, body: old.body, createdAt: old.created_at })
}

/** A new profile, or the next version of the one with this id; old versions stay. */
export async function putProfile(tx: Tx, organisation: string, id: string, profile: NewProfile, now: number): Promise<void> {
  await checkName(tx, 'profiles', organisation, id, profile.name)
  const { name, ...rest } = profile
  const body: ProfileBody = { ...rest }
  for (const [field, kind] of [
    ['ipxe', 'ipxe'],
    ['postInstall', 'bash'],
  ] as const) {
    if (body[field] === undefined) continue
    const script = await findScript(tx, organisation, body[field])
    if (!script) throw invalidField([field], `there is no script "${body[field]}"`, 'reference-unknown')
    if (script.kind !== kind) throw invalidField([field], `"${script.name}" is a ${script.kind} script; expected kind ${kind}`)
    body[field] = script.id
  }
  const old = await tx.selectFrom('profiles').select('version').where('id', '=', id).executeTakeFirst()
  const version = (old?.version ?? 0) + 1
  await tx
    .insertInto('profiles')
    .values({ id, organisation, name, version, created_at: now })
    .onConflict((on) => on.column('id').doUpdateSet({ name, version }))
    .execute()
  await tx
    .insertInto('profile_versions')
    .values({ profile: id, version, organisation, body: JSON.stringify(body), created_at: now })
    .execute()
}

export async function deleteProfile(tx: Tx, organisation: string, id: string): Promise<void> {
  const done = await tx.deleteFrom('profiles').where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (done.numDeletedRows === 0n) throw notFound('profile', id)
}

export async function listVersions(db: Db | Tx, table: 'script_versions' | 'profile_versions', id: string) {
  const rows =
    table === 'script_versions'
      ? await db.selectFrom(table).select(['version', 'created_at']).where('script', '=', id).orderBy('version', 'desc').execute()
      : await db.selectFrom(table).select(['version', 'created_at']).where('profile', '=', id).orderBy('version', 'desc').execute()
  return rows.map((row) => ({ version: row.version, createdAt: row.created_at }))
}

/** The profiles with these ids, and the scripts that they name, as a state carries them. */
export async function stateParts(
  tx: Db | Tx,
  organisation: string,
  used: ReadonlySet<string>,
): Promise<{ profiles: StateProfile[]; scripts: StateScript[] }> {
  if (used.size === 0) return { profiles: [], scripts: [] }
  const rows = await profileQuery(tx)
    .where('profiles.organisation', '=', organisation)
    .where('profiles.id', 'in', [...used])
    .orderBy('profiles.id')
    .execute()
  const profiles = rows.map(toProfile).map(({ createdAt: _, ...profile }) => profile)
  const named = new Set(profiles.flatMap((profile) => [profile.ipxe, profile.postInstall].filter((id) => id !== undefined)))
  if (named.size === 0) return { profiles, scripts: [] }
  const scripts = await scriptQuery(tx)
    .where('scripts.organisation', '=', organisation)
    .where('scripts.id', 'in', [...named])
    .orderBy('scripts.id')
    .execute()
  return { profiles, scripts: scripts.map(({ createdAt: _, ...script }) => ({ ...script, kind: script.kind as StateScript['kind'] })) }
}

function scriptQuery(db: Db | Tx) {
  return db
    .selectFrom('scripts')
    .innerJoin('script_versions', (join) =>
      join.onRef('script_versions.script', '=', 'scripts.id').onRef('script_versions.version', '=', 'scripts.version'),
    )
    .select([
      'scripts.id',
      'scripts.name',
      'scripts.kind',
      'scripts.version',
      'script_versions.text',
      'script_versions.created_at as createdAt',
    ])
}

function profileQuery(db: Db | Tx) {
  return db
    .selectFrom('profiles')
    .innerJoin('profile_versions', (join) =>
      join.onRef('profile_versions.profile', '=', 'profiles.id').onRef('profile_versions.version', '=', 'profiles.version'),
    )
    .select(['profiles.id', 'profiles.name', 'profiles.version', 'profile_versions.body', 'profile_versions.created_at as createdAt'])
}

function toProfile(row: { id: string; name: string; version: number; body: string; createdAt: number }): Profile {
  const { body, ...head } = row
  return { ...head, ...(JSON.parse(body) as ProfileBody) }
}

async function checkName(tx: Tx, table: 'scripts' | 'profiles', organisation: string, id: string, name: string): Promise<void> {
  const other = await tx.selectFrom(table).select('id').where('organisation', '=', organisation).where('name', '=', name).executeTakeFirst()
  if (other && other.id !== id) throw invalidField(['name'], `another of the ${table} is named "${name}"`, 'name-taken')
}
