import type { Manager } from './api.ts'
import type { Fact } from './fact-stream.ts'
import { Failure } from './failure.ts'
import { count, type Printer, printable } from './print.ts'
import type { Run } from './shapes.ts'
import { patiently } from './streams.ts'
import type { World } from './world.ts'

type RunHost = Run['hosts'][number]
type Stream = 'stdout' | 'stderr'

/** What was shown of one host's output so far. */
interface Shown {
  label: string
  finished: boolean
  /** Characters that were taken, and of them the line that has no end yet. */
  taken: Record<Stream, number>
  open: Record<Stream, string>
}

/** The manager is asked so often whether all is done: orders may also run out or be refused, which no host tells. */
const LOOK_MS = 5_000
const SECOND_MS = 1_000

export interface Watched {
  run: Run
  /** False: the run may have begun before `facts` did, so that what was said is taken from the run itself, second by second. */
  fromStart: boolean
  facts: AsyncGenerator<Fact>
  /** Ends `facts`. */
  stop(): void
  /** Names by id, where they are needed to tell hosts apart. */
  sites: ReadonlyMap<string, string>
  printer: Printer
  signal: AbortSignal
}

/**
 * Shows the output of a run as it comes, each host's lines under its name (one host's as they are), and ends with it. What the facts
 * left out is taken from the run itself in the end. Throws Failure when a host failed, or at Ctrl-C.
 */
export async function watchRun(
  manager: Manager,
  world: World,
  { run, fromStart, facts, stop, sites, printer, signal }: Watched,
): Promise<void> {
  const hosts = labelled(run, sites)
  const write = writer(world, printer, hosts)
  const look = async () => {
    const now = await (await manager.api.runs.runs[':id'].$get({ param: { id: run.id } })).json()
    for (const host of now.hosts) catchUp(hosts, host, write)
    return now
  }
  let news = !fromStart
  const every = (ms: number, task: () => Promise<unknown>) => {
    let busy = false
    return world.clock.every(ms, () => {
      if (busy) return
      busy = true
      void task()
        .catch(() => undefined) // the stream says when the manager is away
        .finally(() => {
          busy = false
        })
    })
  }
  const ends = [
    every(LOOK_MS, async () => {
      if (await isDone(manager, run.id)) stop()
    }),
    every(SECOND_MS, async () => {
      if (fromStart || !news) return
      news = false
      await look()
    }),
  ]
  try {
    if (!run.done)
      for await (const { event, raw } of facts) {
        if (event?.kind !== 'run.output' && event?.kind !== 'run.finished' && event?.kind !== 'run.started') continue
        const host = hosts.get(event.data.run)
        if (!host) continue
        news = true
        if (printer.json) printer.value({ ...Object(raw), hostName: host.label }, true)
        if (event.kind === 'run.output' && fromStart) write(host, event.data.stream, event.data.text)
        if (event.kind === 'run.finished') host.finished = true
        if ([...hosts.values()].every((one) => one.finished)) break
      }
  } finally {
    for (const end of ends) end()
  }
  const ended = await patiently(world, signal, look)
  for (const host of hosts.values()) for (const stream of ['stdout', 'stderr'] as const) endLine(host, stream, write)
  if (printer.json) printer.value({ kind: 'run', run: ended }, true)
  if (!ended.done && signal.aborted)
    throw new Failure('no longer watched; the script goes on', {
      code: 'interrupted',
      next: [`see it: bridgehead runs ${run.id} --follow`],
    })
  tellEnd(ended, hosts, printer)
}

async function isDone({ api }: Manager, id: string): Promise<boolean> {
  const { items } = await (await api.runs.runs.$get({ query: { limit: '100' } })).json()
  return items.find((one) => one.id === id)?.done ?? false
}

/** Hosts by the id of their part of the run, as short as they can be told apart. */
function labelled(run: Run, sites: ReadonlyMap<string, string>): Map<string, Shown> {
  const nameOf = (host: RunHost) => host.hostName ?? host.host
  const named = Map.groupBy(run.hosts, nameOf)
  return new Map(
    run.hosts.map((host) => {
      const name = nameOf(host)
      const label = (named.get(name)?.length ?? 0) > 1 ? `${sites.get(host.site) ?? host.site}/${name}` : name
      return [host.id, { label, finished: false, taken: { stdout: 0, stderr: 0 }, open: { stdout: '', stderr: '' } }]
    }),
  )
}

type Write = (host: Shown, stream: Stream, text: string) => void

function writer(world: World, printer: Printer, hosts: ReadonlyMap<string, Shown>): Write {
  const width = Math.max(...[...hosts.values()].map(({ label }) => label.length))
  return (host, stream, text) => {
    host.taken[stream] += text.length
    if (printer.json) return
    const out = world[stream]
    if (hosts.size === 1) return void out.write(text)
    const lines = (host.open[stream] + text).split('\n')
    host.open[stream] = lines.pop() ?? ''
    for (const line of lines) out.write(`${host.label.padEnd(width)} | ${printable(line.replace(/\r$/, ''))}\n`)
  }
}

/** Writes what the manager keeps of a host's output beyond what was shown. */
function catchUp(hosts: ReadonlyMap<string, Shown>, kept: RunHost, write: Write): void {
  const host = hosts.get(kept.id)
  if (!host) return
  for (const stream of ['stdout', 'stderr'] as const) {
    const rest = (kept[stream] ?? '').slice(host.taken[stream])
    if (rest !== '') write(host, stream, rest)
  }
  if (kept.state !== 'queued' && kept.state !== 'running') host.finished = true
}

function endLine(host: Shown, stream: Stream, write: Write): void {
  if (host.open[stream] !== '') write(host, stream, '\n')
}

/** Throws Failure unless every host is done with exit code 0. */
function tellEnd(run: Run, hosts: ReadonlyMap<string, Shown>, printer: Printer): void {
  const bad = run.hosts.filter((host) => host.state !== 'finished' || host.exitCode !== 0)
  const many = run.hosts.length > 1
  if (bad.length === 0 && many) printer.note(`done on ${count(run.hosts.length, 'host')}`)
  if (bad.length === 0) return
  const why = (host: RunHost) => host.error ?? (host.state === 'finished' ? `exit code ${host.exitCode ?? 'none'}` : host.state)
  const details = bad.map((host) => `${many ? `  ${hosts.get(host.id)?.label ?? host.host}: ` : ''}${printable(why(host))}`)
  if (!many) throw new Failure(`${hosts.get(bad[0]?.id ?? '')?.label ?? 'the host'}: ${details[0] ?? ''}`, { code: 'run-failed' })
  throw new Failure(`${bad.length} of ${count(run.hosts.length, 'host')} failed`, { code: 'run-failed', details })
}
