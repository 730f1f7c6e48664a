import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Command } from '@bridgehead/shared/model/command.ts'
import { z } from 'zod'
import { body, json, newApp, operation } from '../engines/http/app.ts'
import { invalidField, Problem } from '../engines/http/problem.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import { findScript } from './records.ts'
import { render } from './routes.ts'
import { getRun, listRuns } from './runs.ts'
import { NewRun, Run, RunWithHosts } from './runs-model.ts'

export interface RunTarget {
  id: string
  name: string
  site: string
  siteName: string
  siteTags: Record<string, string>
}
export interface RunDeps {
  db: Db
  /** The organisation's hosts that the selector leaves, or that have these ids. */
  selectHosts(tx: Tx, organisation: string, by: { selector: string } | { hosts: readonly string[] }): Promise<RunTarget[]>
  commands: {
    add(tx: Tx, to: { organisation: string; site: string }, order: Command['order'], deadline: number): Promise<string>
    kick(): void
  }
  newId: NewId
  clock: Clock
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
export function runRoutes({ db, selectHosts, commands, newId, clock }: RunDeps) {
  const textFor = async (
    tx: Tx,
    organisation: string,
    run: NewRun,
  ): Promise<{ text: string; script?: { id: string; version: number } }> => {
    if (run.text !== undefined) return { text: run.text }
    const script = await findScript(tx, organisation, run.script ?? '')
    if (!script) throw invalidField(['script'], `there is no script "${run.script}"`, 'reference-unknown')
    if (script.kind !== 'bash')
      throw invalidField(['script'], `"${script.name}" is a ${script.kind} script; only bash scripts run on hosts`)
    return { text: script.text, script: { id: script.id, version: script.version } }
  }

  const create = (organisation: string, actor: string, run: NewRun) =>
    db.transaction().execute(async (tx) => {
      const { text, script } = await textFor(tx, organisation, run)
      const targets = await selectHosts(tx, organisation, run.hosts ? { hosts: run.hosts } : { selector: run.selector ?? '' })
      const strange = run.hosts?.find((id) => !targets.some((target) => target.id === id))
      if (strange !== undefined)
        throw invalidField(['hosts', run.hosts?.indexOf(strange) ?? 0], `there is no host "${strange}"`, 'reference-unknown')
      if (targets.length === 0) throw new Problem('no-hosts', `no host matches the selector "${run.selector}"`)
      const id = newId()
      const now = clock.now()
      const deadline = now + run.deadlineSeconds * 1000
      await tx
        .insertInto('runs')
        .values({
          id,
          organisation,
          script: script?.id ?? null,
          script_version: script?.version ?? null,
          text,
          selector: run.selector ?? null,
          run_as: run.user,
          timeout_seconds: run.timeoutSeconds,
          created_by: actor,
          created_at: now,
          deadline,
        })
        .execute()
      for (const site of Map.groupBy(targets, (target) => target.site).values()) {
        const [first] = site
        if (!first) continue
        const runs = site.map((target) => ({ run: newId(), host: target.id }))
        for (const one of runs)
          await tx
            .insertInto('run_hosts')
            .values({
              id: one.run,
              run: id,
              organisation,
              site: first.site,
              host: one.host,
              state: 'queued',
              ip: null,
              exit_code: null,
              error: null,
              ms: null,
              started_at: null,
              finished_at: null,
            })
            .execute()
        const variables = { site: { id: first.site, name: first.siteName, tags: first.siteTags }, vars: run.vars }
        const rendered = script ? render(text, variables) : text
        const order = { kind: 'run-script' as const, runs, text: rendered, user: run.user, timeoutSeconds: run.timeoutSeconds }
        await commands.add(tx, { organisation, site: first.site }, order, deadline)
      }
      return id
    })

  return newApp()
    .openapi(op.create, async (c) => {
      const { organisation, actor } = c.get('principal')
      const id = await create(organisation, actor.name, c.req.valid('json'))
      commands.kick()
      return c.json(await getRun(db, organisation, id), 202)
    })
    .openapi(op.list, async (c) => c.json({ items: await listRuns(db, c.get('principal').organisation, c.req.valid('query').limit) }, 200))
    .openapi(op.get, async (c) => c.json(await getRun(db, c.get('principal').organisation, c.req.valid('param').id), 200))
}
