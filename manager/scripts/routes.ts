import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import { z } from 'zod'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import { invalidField, Problem } from '../engines/http/problem.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { NewProfile, NewScript, Profile, PutProfile, PutScript, Script, Version } from './model.ts'
import {
  deleteProfile,
  deleteScript,
  getProfile,
  getScript,
  listProfiles,
  listScripts,
  listVersions,
  putProfile,
  putScript,
} from './records.ts'
import { checkTemplate, render } from './render.ts'

export interface ScriptDeps {
  db: Db
  changes: { mark(tx: Tx, organisation: string): Promise<void>; kick(): void }
  /** What uses a profile, in words; empty: nothing. */
  usersOf(tx: Tx, organisation: string, profile: string): Promise<string[]>
  /** Size of an artifact in the bucket. */
  artifactBytes(sha256: string): Promise<number | undefined>
  newId: NewId
  clock: Clock
}

const params = z.object({ id: z.string().max(100) })
const versions = json(z.object({ items: z.array(Version) }), 'All versions, newest first.')
const Rendered = z.object({ text: z.string() })

const op = {
  listScripts: operation('scripts:read', {
    method: 'get',
    path: '/scripts',
    tags: ['scripts'],
    summary: 'Scripts, each in its newest version',
    responses: { 200: json(z.object({ items: z.array(Script) }), 'All scripts.') },
  }),
  createScript: operation('scripts:write', {
    method: 'post',
    path: '/scripts',
    tags: ['scripts'],
    summary: 'Make a script',
    request: { body: body(NewScript) },
    responses: { 201: json(Script, 'The script, version 1.') },
  }),
  getScript: operation('scripts:read', {
    method: 'get',
    path: '/scripts/{id}',
    tags: ['scripts'],
    summary: 'One script, by id or name',
    request: { params, query: z.strictObject({ version: z.coerce.number().int().positive().optional() }) },
    responses: { 200: json(Script, 'The script, newest version unless told.') },
  }),
  putScript: operation('scripts:write', {
    method: 'put',
    path: '/scripts/{id}',
    tags: ['scripts'],
    summary: 'Make the next version of a script; old ones stay',
    request: { params, body: body(PutScript) },
    responses: { 200: json(Script, 'The new version.') },
  }),
  deleteScript: operation('scripts:write', {
    method: 'delete',
    path: '/scripts/{id}',
    tags: ['scripts'],
    summary: 'Delete a script that no profile uses',
    request: { params },
    responses: { 204: NOTHING },
  }),
  scriptVersions: operation('scripts:read', {
    method: 'get',
    path: '/scripts/{id}/versions',
    tags: ['scripts'],
    summary: 'Versions of a script',
    request: { params },
    responses: { 200: versions },
  }),
  render: operation('scripts:read', {
    method: 'post',
    path: '/scripts/{id}/render',
    tags: ['scripts'],
    summary: 'What the script becomes with these variables',
    request: { params, body: body(z.strictObject({ variables: z.record(z.string(), z.unknown()).default({}) })) },
    responses: { 200: json(Rendered, 'The text that a machine would get.') },
  }),
  listProfiles: operation('scripts:read', {
    method: 'get',
    path: '/profiles',
    tags: ['profiles'],
    summary: 'Profiles, each in its newest version',
    responses: { 200: json(z.object({ items: z.array(Profile) }), 'All profiles.') },
  }),
  createProfile: operation('scripts:write', {
    method: 'post',
    path: '/profiles',
    tags: ['profiles'],
    summary: 'Make a profile',
    request: { body: body(NewProfile) },
    responses: { 201: json(Profile, 'The profile, version 1.') },
  }),
  getProfile: operation('scripts:read', {
    method: 'get',
    path: '/profiles/{id}',
    tags: ['profiles'],
    summary: 'One profile, by id or name',
    request: { params, query: z.strictObject({ version: z.coerce.number().int().positive().optional() }) },
    responses: { 200: json(Profile, 'The profile, newest version unless told.') },
  }),
  putProfile: operation('scripts:write', {
    method: 'put',
    path: '/profiles/{id}',
    tags: ['profiles'],
    summary: 'Make the next version of a profile; old ones stay',
    request: { params, body: body(PutProfile) },
    responses: { 200: json(Profile, 'The new version.') },
  }),
  deleteProfile: operation('scripts:write', {
    method: 'delete',
    path: '/profiles/{id}',
    tags: ['profiles'],
    summary: 'Delete a profile',
    request: { params },
    responses: { 204: NOTHING },
  }),
  profileVersions: operation('scripts:read', {
    method: 'get',
    path: '/profiles/{id}/versions',
    tags: ['profiles'],
    summary: 'Versions of a profile',
    request: { params },
    responses: { 200: versions },
  }),
}

/** Scripts and profiles. */
export function scriptRoutes({ db, changes, usersOf, artifactBytes, newId, clock }: ScriptDeps) {
  const change = async (organisation: string, task: (tx: Tx) => Promise<void>) => {
    await db.transaction().execute(async (tx) => {
      await task(tx)
      await changes.mark(tx, organisation)
    })
    changes.kick()
  }
  /** A site that waits for bytes which nobody has is hard to understand; so it is told here. */
  const checkArtifacts = async (profile: NewProfile) => {
    for (const [arch, target] of Object.entries(profile.targets))
      for (const part of ['kernel', 'initrd', 'image'] as const) {
        const ref = target?.[part]
        const bytes = ref && (await artifactBytes(ref.sha256))
        if (ref && bytes === undefined)
          throw invalidField(['targets', arch, part, 'sha256'], `the bucket has no artifact ${ref.sha256}`, 'reference-unknown')
        if (ref && bytes !== ref.bytes)
          throw invalidField(['targets', arch, part, 'bytes'], `artifact ${ref.sha256} has ${bytes} bytes, not ${ref.bytes}`)
      }
  }
  return newApp()
    .openapi(op.listScripts, async (c) => c.json({ items: await listScripts(db, c.get('principal').organisation) }, 200))
    .openapi(op.createScript, async (c) => {
      const { organisation } = c.get('principal')
      const script = c.req.valid('json')
      checkTemplate(script.text)
      const id = newId()
      await change(organisation, (tx) => putScript(tx, organisation, id, script, clock.now()))
      return c.json(await getScript(db, organisation, id), 201)
    })
    .openapi(op.getScript, async (c) =>
      c.json(await getScript(db, c.get('principal').organisation, c.req.valid('param').id, c.req.valid('query').version), 200),
    )
    .openapi(op.putScript, async (c) => {
      const { organisation } = c.get('principal')
      const { version, ...script } = c.req.valid('json')
      checkTemplate(script.text)
      const { id } = await getScript(db, organisation, c.req.valid('param').id)
      await change(organisation, async (tx) => {
        checkNewest('script', version, await getScript(tx, organisation, id))
        await putScript(tx, organisation, id, script, clock.now())
      })
      return c.json(await getScript(db, organisation, id), 200)
    })
    .openapi(op.deleteScript, async (c) => {
      const { organisation } = c.get('principal')
      await change(organisation, async (tx) => {
        const { id } = await getScript(tx, organisation, c.req.valid('param').id)
        await deleteScript(tx, organisation, id)
      })
      return c.body(null, 204)
    })
    .openapi(op.scriptVersions, async (c) => {
      const { id } = await getScript(db, c.get('principal').organisation, c.req.valid('param').id)
      return c.json({ items: await listVersions(db, 'script_versions', id) }, 200)
    })
    .openapi(op.render, async (c) => {
      const script = await getScript(db, c.get('principal').organisation, c.req.valid('param').id)
      return c.json({ text: render(script.text, c.req.valid('json').variables) }, 200)
    })
    .openapi(op.listProfiles, async (c) => c.json({ items: await listProfiles(db, c.get('principal').organisation) }, 200))
    .openapi(op.createProfile, async (c) => {
      const { organisation } = c.get('principal')
      const id = newId()
      await checkArtifacts(c.req.valid('json'))
      await change(organisation, (tx) => putProfile(tx, organisation, id, c.req.valid('json'), clock.now()))
      return c.json(await getProfile(db, organisation, id), 201)
    })
    .openapi(op.getProfile, async (c) =>
      c.json(await getProfile(db, c.get('principal').organisation, c.req.valid('param').id, c.req.valid('query').version), 200),
    )
    .openapi(op.putProfile, async (c) => {
      const { organisation } = c.get('principal')
      const { version, ...profile } = c.req.valid('json')
      const { id } = await getProfile(db, organisation, c.req.valid('param').id)
      await checkArtifacts(profile)
      await change(organisation, async (tx) => {
        checkNewest('profile', version, await getProfile(tx, organisation, id))
        await putProfile(tx, organisation, id, profile, clock.now())
      })
      return c.json(await getProfile(db, organisation, id), 200)
    })
    .openapi(op.deleteProfile, async (c) => {
      const { organisation } = c.get('principal')
      await change(organisation, async (tx) => {
        const { id, name } = await getProfile(tx, organisation, c.req.valid('param').id)
        const users = await usersOf(tx, organisation, id)
        if (users.length > 0)
          throw new Problem(
            'in-use',
            `profile "${name}" is used by ${users.slice(0, 5).join(', ')}${users.length > 5 ? ` and ${users.length - 5} more` : ''}`,
          )
        await deleteProfile(tx, organisation, id)
      })
      return c.body(null, 204)
    })
    .openapi(op.profileVersions, async (c) => {
      const { id } = await getProfile(db, c.get('principal').organisation, c.req.valid('param').id)
      return c.json({ items: await listVersions(db, 'profile_versions', id) }, 200)
    })
}

/** Throws `revision-stale` when `made` is from another version than the newest; nothing is said by whoever does not care. */
function checkNewest(one: string, made: number | undefined, { name, version }: { name: string; version: number }): void {
  if (made === undefined || made === version) return
  throw new Problem('revision-stale', `you changed version ${made}, but the ${one} "${name}" is at version ${version}; read it again`)
}
