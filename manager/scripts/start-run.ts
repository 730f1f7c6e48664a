import type { Clock } from '@bridgehead/shared/clock.ts'
import type { NewId } from '@bridgehead/shared/ids.ts'
import type { Command } from '@bridgehead/shared/model/command.ts'
import { tooLong } from '@bridgehead/shared/model/script-text.ts'
import { invalidField, Problem } from '../engines/http/problem.ts'
import type { Tx } from '../engines/store/store.ts'
import { findScript } from './records.ts'
import { render } from './render.ts'
import type { NewRun } from './runs-model.ts'

export interface RunTarget {
  id: string
  name: string
  site: string
  siteName: string
  siteTags: Record<string, string>
}

export interface StartRunDeps {
  /** The organisation's hosts that the selector leaves, or that have these ids. */
  selectHosts(tx: Tx, organisation: string, by: { selector: string } | { hosts: readonly string[] }): Promise<RunTarget[]>
  /** Keeps a signed order to a site in the same transaction. */
  addCommand(tx: Tx, to: { organisation: string; site: string }, order: Command['order'], deadline: number): Promise<string>
  newId: NewId
  clock: Clock
}

/** One order carries so many hosts at most. */
const HOSTS_PER_ORDER = 1_000

/** Rows for the run and each of its hosts, and one signed order per site; all or nothing. Returns the run's id. Throws Problem. */
export async function startRun(tx: Tx, deps: StartRunDeps, organisation: string, actor: string, run: NewRun): Promise<string> {
  const { selectHosts, addCommand, newId, clock } = deps
  const { text, script } = await textOf(tx, organisation, run)
  const targets = await selectHosts(tx, organisation, run.hosts ? { hosts: run.hosts } : { selector: run.selector ?? '' })
  checkTargets(run, targets)
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
  for (const atSite of Map.groupBy(targets, (target) => target.site).values())
    for (const group of slices(atSite, HOSTS_PER_ORDER)) {
      const [first] = group
      if (!first) continue
      const variables = { site: { id: first.site, name: first.siteName, tags: first.siteTags }, vars: run.vars }
      const rendered = script ? render(text, variables) : text
      const why = tooLong(rendered.length)
      if (why !== undefined) throw invalidField(['script'], `once rendered: ${why}`)
      const runs = group.map((target) => ({ run: newId(), host: target.id }))
      await tx
        .insertInto('run_hosts')
        .values(runs.map((one) => ({ ...QUEUED, id: one.run, run: id, organisation, site: first.site, host: one.host })))
        .execute()
      const order = { kind: 'run-script' as const, runs, text: rendered, user: run.user, timeoutSeconds: run.timeoutSeconds }
      await addCommand(tx, { organisation, site: first.site }, order, deadline)
    }
  return id
}

const QUEUED = { state: 'queued', ip: null, exit_code: null, error: null, ms: null, started_at: null, finished_at: null } as const

async function textOf(tx: Tx, organisation: string, run: NewRun): Promise<{ text: string; script?: { id: string; version: number } }> {
  if (run.text !== undefined) return { text: run.text }
  const script = await findScript(tx, organisation, run.script ?? '')
  if (!script) throw invalidField(['script'], `there is no script "${run.script}"`, 'reference-unknown')
  if (script.kind !== 'bash') throw invalidField(['script'], `"${script.name}" is a ${script.kind} script; only bash scripts run on hosts`)
  return { text: script.text, script: { id: script.id, version: script.version } }
}

function checkTargets(run: NewRun, targets: readonly RunTarget[]): void {
  const known = new Set(targets.map((target) => target.id))
  const strange = (run.hosts ?? []).findIndex((id) => !known.has(id))
  if (strange >= 0) throw invalidField(['hosts', strange], `there is no host "${run.hosts?.[strange]}"`, 'reference-unknown')
  if (targets.length === 0) throw new Problem('no-hosts', `no host matches the selector "${run.selector}"`)
}

function slices<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size))
}
