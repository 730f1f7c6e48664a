import { z } from 'zod'
import { body, json, newApp, operation } from '../engines/http/app.ts'
import type { Db } from '../engines/store/store.ts'
import { getRun, listRuns } from './runs.ts'
import { NewRun, Run, RunWithHosts } from './runs-model.ts'
import { type StartRunDeps, startRun } from './start-run.ts'

export interface RunDeps extends StartRunDeps {
  db: Db
  /** Sends orders that were kept. */
  sendCommands(): void
}

const op = {
  create: operation('runs:write', {
    method: 'post',
    path: '/runs',
    tags: ['runs'],
    summary: 'Run a bash script on hosts',
    description: 'One signed order goes to each site; a site that is away gets it when it comes back before the deadline.',
    request: { body: body(NewRun) },
    responses: { 202: json(RunWithHosts, 'The run; ask again, or follow the events, for how it goes.') },
  }),
  list: operation('runs:read', {
    method: 'get',
    path: '/runs',
    tags: ['runs'],
    summary: 'Runs, newest first',
    request: { query: z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(100) }) },
    responses: { 200: json(z.object({ items: z.array(Run) }), 'The runs, with how many hosts are in which state.') },
  }),
  get: operation('runs:read', {
    method: 'get',
    path: '/runs/{id}',
    tags: ['runs'],
    summary: 'One run with the output and exit code of every host',
    request: { params: z.object({ id: z.string().max(64) }) },
    responses: { 200: json(RunWithHosts, 'The run.') },
  }),
}

/** Scripts on hosts. */
export function runRoutes(deps: RunDeps) {
  const { db, sendCommands } = deps
  return newApp()
    .openapi(op.create, async (c) => {
      const { organisation, actor } = c.get('principal')
      const id = await db.transaction().execute((tx) => startRun(tx, deps, organisation, actor.name, c.req.valid('json')))
      sendCommands()
      return c.json(await getRun(db, organisation, id), 202)
    })
    .openapi(op.list, async (c) => c.json({ items: await listRuns(db, c.get('principal').organisation, c.req.valid('query').limit) }, 200))
    .openapi(op.get, async (c) => c.json(await getRun(db, c.get('principal').organisation, c.req.valid('param').id), 200))
}
