import { z } from 'zod'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import type { Tx } from '../engines/store/store.ts'
import type { RegistryDeps } from './deps.ts'
import { hostRoutes } from './host-routes.ts'
import { addKey, deleteKey, listKeys } from './keys.ts'
import { Key, NewKey, NewRule, Rule } from './model.ts'
import { deleteRule, getRule, listRules, putRule } from './rules.ts'

const params = z.object({ id: z.string().max(64) })
const listAllRules = operation('hosts:read', {
  method: 'get',
  path: '/rules',
  tags: ['rules'],
  summary: 'Rules that recognise unknown machines, in order',
  responses: { 200: json(z.object({ items: z.array(Rule) }), 'All rules.') },
})
const createRule = operation('hosts:write', {
  method: 'post',
  path: '/rules',
  tags: ['rules'],
  summary: 'Make a rule',
  request: { body: body(NewRule) },
  responses: { 201: json(Rule, 'The rule.') },
})
const replaceRule = operation('hosts:write', {
  method: 'put',
  path: '/rules/{id}',
  tags: ['rules'],
  summary: 'Replace a rule',
  request: { params, body: body(NewRule) },
  responses: { 200: json(Rule, 'The rule.') },
})
const removeRule = operation('hosts:write', {
  method: 'delete',
  path: '/rules/{id}',
  tags: ['rules'],
  summary: 'Delete a rule; hosts it approved stay approved',
  request: { params },
  responses: { 204: NOTHING },
})
const listAllKeys = operation('hosts:read', {
  method: 'get',
  path: '/keys',
  tags: ['keys'],
  summary: 'SSH public keys that installed hosts authorise',
  responses: { 200: json(z.object({ items: z.array(Key) }), 'All keys.') },
})
const createKey = operation('hosts:write', {
  method: 'post',
  path: '/keys',
  tags: ['keys'],
  summary: 'Register an SSH public key',
  request: { body: body(NewKey) },
  responses: { 201: json(Key, 'The key.') },
})
const removeKey = operation('hosts:write', {
  method: 'delete',
  path: '/keys/{id}',
  tags: ['keys'],
  summary: 'Forget an SSH public key; installed hosts keep it until their next installation',
  request: { params },
  responses: { 204: NOTHING },
})

/** Hosts, rules and SSH keys. */
export function registryRoutes(deps: RegistryDeps) {
  const { db, around, changes, newId, clock } = deps
  const change = async (organisation: string, task: (tx: Tx) => Promise<void>) => {
    await db.transaction().execute(async (tx) => {
      await task(tx)
      await changes.mark(tx, organisation)
    })
    changes.kick()
  }
  return newApp()
    .route('/', hostRoutes(deps))
    .openapi(listAllRules, async (c) => c.json({ items: await listRules(db, c.get('principal').organisation) }, 200))
    .openapi(createRule, async (c) => {
      const { organisation } = c.get('principal')
      const id = newId()
      await change(organisation, (tx) => putRule(tx, around, organisation, id, c.req.valid('json')))
      return c.json(await getRule(db, organisation, id), 201)
    })
    .openapi(replaceRule, async (c) => {
      const { organisation } = c.get('principal')
      const { id } = c.req.valid('param')
      await change(organisation, async (tx) => {
        await getRule(tx, organisation, id)
        await putRule(tx, around, organisation, id, c.req.valid('json'))
      })
      return c.json(await getRule(db, organisation, id), 200)
    })
    .openapi(removeRule, async (c) => {
      const { organisation } = c.get('principal')
      await change(organisation, (tx) => deleteRule(tx, organisation, c.req.valid('param').id))
      return c.body(null, 204)
    })
    .openapi(listAllKeys, async (c) => c.json({ items: await listKeys(db, c.get('principal').organisation) }, 200))
    .openapi(createKey, async (c) => {
      const { organisation } = c.get('principal')
      const id = newId()
      const key = c.req.valid('json')
      const now = clock.now()
      await change(organisation, (tx) => addKey(tx, organisation, id, key, now))
      return c.json({ id, name: key.name, publicKey: key.publicKey.trim(), sites: key.sites, createdAt: now }, 201)
    })
    .openapi(removeKey, async (c) => {
      const { organisation } = c.get('principal')
      await change(organisation, (tx) => deleteKey(tx, organisation, c.req.valid('param').id))
      return c.body(null, 204)
    })
}
