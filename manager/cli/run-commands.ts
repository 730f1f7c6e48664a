import { ago } from '@bridgehead/shared/text/ago.ts'
import type { Command } from 'commander'
import { connect, type Manager } from './api.ts'
import { bashLine } from './bash-line.ts'
import { openFacts } from './fact-stream.ts'
import { checkSelector, command, type JsonOption, whole } from './options.ts'
import { count, createPrinter, facts, type Printer, table } from './print.ts'
import { watchRun } from './run-watch.ts'
import type { NewRun, Run, Site } from './shapes.ts'
import type { World } from './world.ts'

export interface RunOptions extends JsonOption {
  user?: string
  timeout?: number
  deadline?: number
  detach?: true
}

/** What every command that starts a run takes. */
export function runOptions(made: Command): Command {
  return made
    .option('--user <name>', 'who runs it there (root)')
    .option('--timeout <seconds>', 'ends it on a host after so long (600)', whole(1, 86_400))
    .option('--deadline <seconds>', 'how long the order waits for a site that is away (3600)', whole(10, 604_800))
    .option('--detach', 'do not wait for the output')
}

export function addRunCommands(program: Command, world: World): void {
  runOptions(command(program, 'run', 'run a command on hosts, with live output'))
    .argument('<selector>', "such as 'region=nuremberg,role in (edge,db),!gpu'; '' is every host")
    .argument('<command...>', 'after --; one word is taken as a line of bash, several as they are')
    .usage('[options] <selector> -- <command...>')
    .action(async (selector: string, words: string[], options: RunOptions) => {
      await startRun(await connect(world), world, { selector: checkSelector(selector), text: bashLine(words) }, options)
    })
  command(program, 'runs', 'runs, newest first; one of them with its output')
    .argument('[run]', 'its id')
    .option('-f, --follow', 'go on watching')
    .option('--limit <number>', 'so many', whole(1, 1000), 20)
    .action(async (id: string | undefined, { follow, limit, ...options }: JsonOption & { follow?: true; limit: number }) => {
      const manager = await connect(world)
      const printer = createPrinter(world, options)
      if (id === undefined) return list(manager, world, printer, limit)
      const signal = world.interrupt()
      const over = new AbortController()
      const stop = () => over.abort()
      const news = follow && (await openFacts(manager, world, {}, AbortSignal.any([signal, over.signal])))
      const run = await (await manager.api.runs.runs[':id'].$get({ param: { id } })).json()
      if (news) {
        const sites = new Map((await sitesOf(manager)).map((site) => [site.id, site.name]))
        return watchRun(manager, world, { run, fromStart: false, facts: news, stop, sites, printer, signal }).finally(stop)
      }
      if (printer.json) return printer.value(run)
      for (const line of shown(run, world.clock.now())) printer.line(line)
    })
}

/** Starts a run and shows what comes of it. Throws Failure when a host failed. */
export async function startRun(manager: Manager, world: World, order: NewRun, options: RunOptions): Promise<void> {
  const printer = createPrinter(world, options)
  const { user, timeout, deadline, detach } = options
  const json = {
    ...order,
    ...(user === undefined ? {} : { user }),
    ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
    ...(deadline === undefined ? {} : { deadlineSeconds: deadline }),
  }
  if (detach) {
    const run = await (await manager.api.runs.runs.$post({ json })).json()
    if (printer.json) return printer.value(run)
    return printer.line(`started on ${count(run.hosts.length, 'host')}\n  → see it: bridgehead runs ${run.id} --follow`)
  }
  const signal = world.interrupt()
  const sites = await sitesOf(manager)
  const over = new AbortController()
  const stop = () => over.abort()
  const news = await openFacts(manager, world, {}, AbortSignal.any([signal, over.signal])) // before the run, so that nothing is missed
  try {
    const run = await (await manager.api.runs.runs.$post({ json })).json()
    tellStart(run, sites, printer)
    const names = new Map(sites.map((site) => [site.id, site.name]))
    await watchRun(manager, world, { run, fromStart: true, facts: news, stop, sites: names, printer, signal })
  } finally {
    stop()
  }
}

async function sitesOf({ api }: Manager): Promise<Site[]> {
  return (await (await api.sites.sites.$get({ query: {} })).json()).items
}

function tellStart(run: Run, sites: readonly Site[], printer: Printer): void {
  const ids = new Set(run.hosts.map((host) => host.site))
  if (run.hosts.length > 1) printer.note(`on ${count(run.hosts.length, 'host')} at ${count(ids.size, 'site')}`)
  for (const site of sites)
    if (ids.has(site.id) && !site.online)
      printer.note(`site ${site.name} is not in touch; it gets the order when it is back, until the deadline (Ctrl-C does not end it)`)
}

async function list({ api }: Manager, world: World, printer: Printer, limit: number): Promise<void> {
  const { items } = await (await api.runs.runs.$get({ query: { limit: String(limit) } })).json()
  if (printer.json) return printer.value({ items })
  if (items.length === 0) return printer.line("no runs yet\n  → bridgehead run '' -- uname -a")
  const { items: scripts } = await (await api.scripts.scripts.$get()).json()
  const names = new Map(scripts.map((script) => [script.id, script.name]))
  const open = items.filter((run) => !run.done).length
  printer.line(`${count(items.length, 'run')}: ${open === 0 ? 'all done' : `${open} under way`}\n`)
  const rows = items.map((run) => [
    run.id,
    ago(run.createdAt, world.clock.now()),
    run.script === undefined ? 'a command' : (names.get(run.script) ?? 'a script'),
    run.selector ?? '',
    Object.entries(run.counts)
      .map(([state, hosts]) => `${hosts} ${state}`)
      .join(', '),
    run.createdBy,
  ])
  for (const line of table(['run', 'began', 'what', 'selector', 'hosts', 'by'], rows, world.stdout)) printer.line(line)
}

function shown(run: Run, now: number): string[] {
  const counts = Object.entries(run.counts).map(([state, hosts]) => `${hosts} ${state}`)
  const lines = [`${run.done ? 'done' : 'under way'}: ${counts.join(', ')}; began ${ago(run.createdAt, now)}`]
  for (const host of run.hosts) {
    lines.push(
      '',
      `${host.hostName ?? host.host}: ${host.error ?? (host.exitCode === undefined ? host.state : `exit code ${host.exitCode ?? 'none'}`)}`,
    )
    for (const stream of ['stdout', 'stderr'] as const)
      for (const line of (host[stream] ?? '').trimEnd().split('\n').filter(Boolean)) lines.push(...facts([[stream, line]]))
  }
  if (!run.done) lines.push(`  → go on watching: bridgehead runs ${run.id} --follow`)
  return lines
}
