import type { Command } from 'commander'
import { connect, type Manager } from './api.ts'
import { createFactLines } from './fact-lines.ts'
import { type Fact, newestSeq, openFacts } from './fact-stream.ts'
import { findHost } from './find-host.ts'
import { command, type JsonOption, whole } from './options.ts'
import { createPrinter } from './print.ts'
import type { World } from './world.ts'

interface LogOptions extends JsonOption {
  follow?: true
  site?: string
  host?: string
  lines: number
  after?: number
}

export function addLogsCommand(program: Command, world: World): void {
  command(program, 'logs', 'what happened at the sites, newest last')
    .option('-f, --follow', 'go on as it happens')
    .option('--site <site>', 'at this site only')
    .option('--host <host>', 'of this host only')
    .option('-n, --lines <number>', 'so many', whole(0, 10_000), 50)
    .option('--after <seq>', 'everything after the fact with this number (`seq` in --json)', whole(0, Number.MAX_SAFE_INTEGER))
    .action(async (options: LogOptions) => logs(await connect(world), options, world))
}

async function logs(manager: Manager, { follow, site, host: hostName, lines, after, ...options }: LogOptions, world: World): Promise<void> {
  const printer = createPrinter(world, options)
  const signal = world.interrupt()
  const host = hostName === undefined ? undefined : (await findHost(manager, hostName)).id
  const lineOf = await createFactLines(manager)
  const show = async (fact: Fact) => (printer.json ? printer.value(fact.raw, true) : printer.line(await lineOf(fact)))
  const newest = await newestSeq(manager)
  const read = (from: number, goOn: boolean) => openFacts(manager, world, { site, host, after: from, follow: goOn }, signal)

  const before = after === undefined ? await tail(lines, newest, (from) => read(from, false)) : await all(await read(after, false))
  for (const fact of before) await show(fact)
  if (!follow) {
    if (before.length === 0) printer.note('nothing yet\n  → go on as it happens: bridgehead logs -f')
    return
  }
  for await (const fact of await read(Math.max(newest, before.at(-1)?.seq ?? 0), true)) await show(fact)
}

/** The last facts: numbers are shared by all organisations and sites, so it looks back in growing steps. */
async function tail(wanted: number, newest: number, read: (after: number) => Promise<AsyncGenerator<Fact>>): Promise<Fact[]> {
  if (wanted === 0) return []
  for (let back = wanted * 2; ; back *= 8) {
    const from = Math.max(0, newest - back)
    const found = await all(await read(from))
    if (found.length >= wanted || from === 0) return found.slice(-wanted)
  }
}

async function all(facts: AsyncGenerator<Fact>): Promise<Fact[]> {
  const found: Fact[] = []
  for await (const fact of facts) found.push(fact)
  return found
}
