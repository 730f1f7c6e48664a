import type { EventData } from '@bridgehead/shared/model/event.ts'
import type { Selectable } from 'kysely'
import { notFound } from '../engines/http/problem.ts'
import type { Database } from '../engines/store/schema.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import type { Run, RunHost } from './runs-model.ts'

interface Fact<D> {
  organisation: string
  site: string
  at: number
  data: D
}

/** Output that is kept of one run on one host; what comes after is dropped. */
const MAX_OUTPUT_CHARS = 4_000_000

export async function listRuns(db: Db | Tx, organisation: string, limit: number): Promise<Run[]> {
  const rows = await db.selectFrom('runs').selectAll().where('organisation', '=', organisation).orderBy('id', 'desc').limit(limit).execute()
  if (rows.length === 0) return []
  const counted = await db
    .selectFrom('run_hosts')
    .select(['run', 'state', (eb) => eb.fn.countAll<number>().as('count')])
    .where(
      'run',
      'in',
      rows.map((row) => row.id),
    )
    .groupBy(['run', 'state'])
    .execute()
  return rows.map((row) =>
    toRun(row, Object.fromEntries(counted.filter((one) => one.run === row.id).map(({ state, count }) => [state, Number(count)]))),
  )
}

/** Throws `not-found`, also for another organisation's run. */
export async function getRun(db: Db | Tx, organisation: string, id: string): Promise<Run & { text: string; hosts: RunHost[] }> {
  const row = await db.selectFrom('runs').selectAll().where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (!row) throw notFound('run', id)
  const hosts = await db
    .selectFrom('run_hosts')
    .leftJoin('hosts', 'hosts.id', 'run_hosts.host')
    .selectAll('run_hosts')
    .select('hosts.name as hostName')
    .where('run', '=', id)
    .orderBy('run_hosts.id')
    .execute()
  const output = await db
    .selectFrom('run_output')
    .innerJoin('run_hosts', 'run_hosts.id', 'run_output.run_host')
    .select(['run_output.run_host', 'run_output.stream', 'run_output.text'])
    .where('run_hosts.run', '=', id)
    .orderBy('run_output.run_host')
    .orderBy('run_output.seq')
    .execute()
  const said = new Map<string, string>()
  for (const { run_host, stream, text } of output) said.set(`${run_host} ${stream}`, (said.get(`${run_host} ${stream}`) ?? '') + text)
  const counts: Record<string, number> = {}
  for (const { state } of hosts) counts[state] = (counts[state] ?? 0) + 1
  return {
    ...toRun(row, counts),
    text: row.text,
    hosts: hosts.map((host) => ({
      id: host.id,
      host: host.host,
      hostName: host.hostName ?? undefined,
      site: host.site,
      state: host.state,
      ip: host.ip ?? undefined,
      ...(host.state === 'finished' || host.state === 'failed' ? { exitCode: host.exit_code } : {}),
      error: host.error ?? undefined,
      ms: host.ms ?? undefined,
      startedAt: host.started_at ?? undefined,
      finishedAt: host.finished_at ?? undefined,
      stdout: said.get(`${host.id} stdout`) ?? '',
      stderr: said.get(`${host.id} stderr`) ?? '',
    })),
  }
}

export async function onRunStarted(tx: Tx, { site, at, data }: Fact<EventData<'run.started'>>): Promise<boolean> {
  await tx
    .updateTable('run_hosts')
    .set({ state: 'running', ip: data.ip, started_at: at })
    .where('id', '=', data.run)
    .where('site', '=', site) // a site tells of its own runs only
    .where('state', 'in', ['queued', 'expired'])
    .execute()
  return false
}

export async function onRunOutput(tx: Tx, { organisation, site, data }: Fact<EventData<'run.output'>>): Promise<boolean> {
  const run = await tx
    .selectFrom('run_hosts')
    .select(['id', 'output_chars'])
    .where('id', '=', data.run)
    .where('site', '=', site)
    .executeTakeFirst()
  if (!run || run.output_chars > MAX_OUTPUT_CHARS) return false
  const added = await tx
    .insertInto('run_output')
    .values({ run_host: run.id, seq: data.seq, stream: data.stream, text: data.text, organisation })
    .onConflict((on) => on.columns(['run_host', 'seq']).doNothing())
    .executeTakeFirst()
  if ((added.numInsertedOrUpdatedRows ?? 0n) > 0n)
    await tx
      .updateTable('run_hosts')
      .set({ output_chars: run.output_chars + data.text.length })
      .where('id', '=', run.id)
      .execute()
  return false
}

export async function onRunFinished(tx: Tx, { site, at, data }: Fact<EventData<'run.finished'>>): Promise<boolean> {
  await tx
    .updateTable('run_hosts')
    .set({
      state: data.error === undefined ? 'finished' : 'failed',
      exit_code: data.exitCode,
      error: data.error ?? null,
      ms: data.ms,
      finished_at: at,
    })
    .where('id', '=', data.run)
    .where('site', '=', site)
    .execute()
  return false
}

/** The appliance would not carry out a command: what it was for has failed. `runs`: the ids in the command. */
export async function failRuns(tx: Tx, site: string, runs: readonly string[], why: string, at: number): Promise<void> {
  if (runs.length === 0) return
  await tx
    .updateTable('run_hosts')
    .set({ state: 'failed', error: why, finished_at: at })
    .where('id', 'in', [...runs])
    .where('site', '=', site)
    .where('state', '=', 'queued')
    .execute()
}

/** Runs whose order nobody took in time. */
export async function expireRuns(db: Db, now: number): Promise<void> {
  await db
    .updateTable('run_hosts')
    .set({ state: 'expired', error: 'the site was away until the deadline had passed', finished_at: now })
    .where('state', '=', 'queued')
    .where('run', 'in', (eb) => eb.selectFrom('runs').select('id').where('deadline', '<', now))
    .execute()
}

function toRun(row: Selectable<Database['runs']>, counts: Record<string, number>): Run {
  return {
    id: row.id,
    script: row.script ?? undefined,
    scriptVersion: row.script_version ?? undefined,
    selector: row.selector ?? undefined,
    user: row.run_as,
    timeoutSeconds: row.timeout_seconds,
    createdBy: row.created_by,
    createdAt: row.created_at,
    deadline: row.deadline,
    done: (counts.queued ?? 0) + (counts.running ?? 0) === 0,
    counts,
  }
}
