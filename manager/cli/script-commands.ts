import { readFile } from 'node:fs/promises'
import { ScriptKind } from '@bridgehead/shared/model/state.ts'
import { ago } from '@bridgehead/shared/text/ago.ts'
import type { Command } from 'commander'
import type { z } from 'zod'
import { connect, type Manager } from './api.ts'
import { Failure } from './failure.ts'
import { checkSelector, choice, command, group, type JsonOption, pairs } from './options.ts'
import { count, createPrinter, table } from './print.ts'
import { type RunOptions, runOptions, startRun } from './run-commands.ts'
import type { World } from './world.ts'

type Kind = z.infer<typeof ScriptKind>
const ENDINGS: Record<string, Kind> = { sh: 'bash', bash: 'bash', ipxe: 'ipxe' }

export function addScriptCommands(program: Command, world: World): void {
  const script = group(program, 'script', 'versioned texts that machines run or read')
  command(script, 'ls', 'scripts, by name').action(async (options: JsonOption) => list(await connect(world), options, world))
  command(script, 'add', 'make a script, or its next version')
    .argument('<name>')
    .argument('<file>', '- is standard input')
    .addOption(choice('--kind <kind>', "by the file's ending unless told", ScriptKind))
    .action(async (name: string, file: string, options: JsonOption & { kind?: Kind }) => {
      await add(await connect(world), name, file, options, world)
    })
  command(script, 'show', 'the text of a script')
    .argument('<script>', 'name or id')
    .option('--version <number>', 'an older one')
    .action(async (id: string, { version, ...options }: JsonOption & { version?: string }) => {
      const { api } = await connect(world)
      const query = version === undefined ? {} : { version }
      const found = await (await api.scripts.scripts[':id'].$get({ param: { id }, query })).json()
      const printer = createPrinter(world, options)
      if (options.json) return printer.value(found)
      world.stdout.write(found.text.endsWith('\n') ? found.text : `${found.text}\n`)
      printer.note(`# ${found.name}, ${found.kind}, version ${found.version}, ${ago(found.createdAt, world.clock.now())}`)
    })
  runOptions(command(script, 'run', 'run a bash script on hosts, with live output'))
    .argument('<script>', 'name or id')
    .argument('<selector>', "the hosts; '' is every host")
    .option('--var <key=value>', "a variable for the script's template; may be given again", pairs)
    .action(async (name: string, selector: string, { var: vars, ...options }: RunOptions & { var?: Record<string, string> }) => {
      const order = { script: name, selector: checkSelector(selector), ...(vars ? { vars } : {}) }
      await startRun(await connect(world), world, order, options)
    })
}

async function list({ api }: Manager, options: JsonOption, world: World): Promise<void> {
  const { items } = await (await api.scripts.scripts.$get()).json()
  const printer = createPrinter(world, options)
  if (options.json) return printer.value({ items })
  if (items.length === 0) return printer.line('no scripts yet\n  → make one: bridgehead script add NAME FILE')
  printer.line(`${count(items.length, 'script')}\n`)
  const now = world.clock.now()
  const rows = items.map((one) => [
    one.name,
    one.kind,
    `${one.version}`,
    count(one.text.trimEnd().split('\n').length, 'line'),
    ago(one.createdAt, now),
  ])
  for (const line of table(['script', 'kind', 'version', 'length', 'written'], rows, world.stdout)) printer.line(line)
}

async function add({ api }: Manager, name: string, file: string, options: JsonOption & { kind?: Kind }, world: World): Promise<void> {
  const text = await readText(file, world)
  const { items } = await (await api.scripts.scripts.$get()).json()
  const before = items.find((one) => one.name === name || one.id === name)
  const kind =
    options.kind ?? before?.kind ?? ENDINGS[/\.(\w+)$/.exec(file)?.[1] ?? ''] ?? (/^#!.*\b(ba)?sh\b/.test(text) ? 'bash' : undefined)
  if (kind === undefined)
    throw new Failure(`what kind of script ${file} is cannot be seen from its name`, {
      usage: true,
      next: [`--kind ${ScriptKind.options.join('|')}`],
    })
  const printer = createPrinter(world, options)
  if (before?.text === text && before.kind === kind) {
    if (options.json) return printer.value(before)
    return printer.line(`${before.name} is just so already, at version ${before.version}`)
  }
  const json = { name: before?.name ?? name, kind, text }
  const made = before
    ? await (await api.scripts.scripts[':id'].$put({ param: { id: before.id }, json: { ...json, version: before.version } })).json()
    : await (await api.scripts.scripts.$post({ json })).json()
  if (options.json) return printer.value(made)
  printer.line(`${made.name} is now at version ${made.version}`)
  if (kind === 'bash') printer.line(`  → run it: bridgehead script run ${made.name} SELECTOR`)
}

/** Throws Failure when there is no such file. */
export async function readText(file: string, { stdin }: World): Promise<string> {
  if (file !== '-')
    return readFile(file, 'utf8').catch((cause: unknown) => {
      throw new Failure(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { usage: true, cause })
    })
  let text = ''
  for await (const part of stdin) text += part.toString()
  return text
}
