import { HostStatus } from '@bridgehead/shared/model/state.ts'
import { Selector } from '@bridgehead/shared/model/tags.ts'
import { z } from 'zod'
import { body, json, NOTHING, newApp, operation } from '../engines/http/app.ts'
import type { Tx } from '../engines/store/store.ts'
import type { RegistryDeps } from './deps.ts'
import { addHost, deleteHost, getHost, listHosts, patchHost } from './hosts.ts'
import { clearIntent, setIntent } from './intents.ts'
import { Host, HostIntent, HostPatch, NewHost, NewIntent } from './model.ts'

const params = z.object({ id: z.string().max(64) })
const tags = ['hosts']
const list = operation('hosts:read', {
  method: 'get',
  path: '/hosts',
  tags,
  summary: 'Hosts, newest first',
  request: {
    query: z.strictObject({ selector: Selector.optional(), site: z.string().max(100).optional(), status: HostStatus.optional() }),
  },
  responses: { 200: json(z.object({ items: z.array(Host) }), 'The hosts that all filters leave.') },
})
const create = operation('hosts:write', {
  method: 'post',
  path: '/hosts',
  tags,
  summary: 'Register a host before it is seen',
  request: { body: body(NewHost) },
  responses: { 201: json(Host, 'The host.') },
})
const get = operation('hosts:read', {
  method: 'get',
  path: '/hosts/{id}',
  tags,
  summary: 'One host',
  request: { params },
  responses: { 200: json(Host, 'The host.') },
})
const patch = operation('hosts:write', {
  method: 'patch',
  path: '/hosts/{id}',
  tags,
  summary: 'Change a host: name, tags, profile, approval, retirement, reserved address',
  request: { params, body: body(HostPatch) },
  responses: { 200: json(Host, 'The changed host.') },
})
const remove = operation('hosts:write', {
  method: 'delete',
  path: '/hosts/{id}',
  tags,
  summary: 'Forget a host',
  request: { params },
  responses: { 204: NOTHING },
})
const intend = operation('hosts:write', {
  method: 'post',
  path: '/hosts/{id}/intent',
  tags,
  summary: 'Wish something for the next boot, once',
  request: { params, body: body(NewIntent) },
  responses: { 202: json(HostIntent, 'The wish; the site has it within seconds.') },
})
const forgo = operation('hosts:write', {
  method: 'delete',
  path: '/hosts/{id}/intent',
  tags,
  summary: 'Take the wish back',
  request: { params },
  responses: { 204: NOTHING },
})

export function hostRoutes({ db, around, changes, newId, clock }: RegistryDeps) {
  /** Changes a host and marks its site; the state follows by itself. */
  const change = async <T>(organisation: string, id: string | undefined, task: (tx: Tx) => Promise<T>): Promise<T> => {
    const result = await db.transaction().execute(async (tx) => {
      const site = id === undefined ? undefined : (await getHost(tx, around, organisation, id)).site
      const done = await task(tx)
      await changes.mark(tx, organisation, site)
      return done
    })
    changes.kick()
    return result
  }
  return newApp()
    .openapi(list, async (c) => c.json({ items: await listHosts(db, around, c.get('principal').organisation, c.req.valid('query')) }, 200))
    .openapi(create, async (c) => {
      const { organisation } = c.get('principal')
      const id = newId()
      await change(organisation, undefined, (tx) => addHost(tx, around, organisation, id, c.req.valid('json'), clock.now()))
      return c.json(await getHost(db, around, organisation, id), 201)
    })
    .openapi(get, async (c) => c.json(await getHost(db, around, c.get('principal').organisation, c.req.valid('param').id), 200))
    .openapi(patch, async (c) => {
      const { organisation } = c.get('principal')
      const { id } = c.req.valid('param')
      await change(organisation, id, (tx) => patchHost(tx, around, organisation, id, c.req.valid('json')))
      return c.json(await getHost(db, around, organisation, id), 200)
    })
    .openapi(remove, async (c) => {
      const { organisation } = c.get('principal')
      const { id } = c.req.valid('param')
      await change(organisation, id, (tx) => deleteHost(tx, organisation, id))
      return c.body(null, 204)
    })
    .openapi(intend, async (c) => {
      const { organisation } = c.get('principal')
      const { id } = c.req.valid('param')
      const wish = { ...c.req.valid('json'), id: newId() }
      return c.json(await change(organisation, id, (tx) => setIntent(tx, around, organisation, id, wish, clock.now())), 202)
    })
    .openapi(forgo, async (c) => {
      const { organisation } = c.get('principal')
      const { id } = c.req.valid('param')
      await change(organisation, id, (tx) => clearIntent(tx, organisation, id))
      return c.body(null, 204)
    })
}
