import { Platform } from '@bridgehead/shared/model/state.ts'
import { createScreen } from '@bridgehead/shared/text/screen.ts'
import type { Command } from 'commander'
import { connect, type Manager } from './api.ts'
import { bootLines, isLive } from './boot-lines.ts'
import { explainLines } from './explain-lines.ts'
import { openFacts } from './fact-stream.ts'
import { Failure } from './failure.ts'
import { addressOf, findHost } from './find-host.ts'
import { checkSelector, choice, command, type JsonOption, pairs, whole } from './options.ts'
import { createPrinter } from './print.ts'
import type { Host } from './shapes.ts'
import { patiently } from './streams.ts'
import type { World } from './world.ts'

interface ApproveOptions extends JsonOption {
  selector?: string
  name?: string
  profile?: string
  tag?: Record<string, string>
}
interface InstallOptions extends JsonOption {
  selector?: string
  profile?: string
  yes?: true
  follow?: true
}
interface TimelineOptions extends JsonOption {
  follow?: true
  boots: number
  why?: true
}
const HOST = 'name, site/name, MAC address or id'

/** What is done to hosts, and what they went through. */
export function addHostActions(host: Command, world: World): void {
  command(host, 'approve', 'let machines in')
    .argument('[host...]', HOST)
    .option('--selector <selector>', 'all that wait and match it')
    .option('--name <name>', 'of a single one')
    .option('--profile <profile>', 'what they become when they are installed')
    .option('--tag <key=value>', 'added to their tags; may be given again', pairs)
    .action(async (names: string[], options: ApproveOptions) => approve(await connect(world), names, options, world))
  command(host, 'install', 'install hosts at their next boot; their disks are overwritten')
    .argument('[host...]', HOST)
    .option('--selector <selector>', 'all approved ones that match it')
    .option('--profile <profile>', 'what they become; their own unless told')
    .option('-y, --yes', 'without asking')
    .option('-f, --follow', "show a single host's boot as it goes")
    .action(async (names: string[], options: InstallOptions) => install(await connect(world), names, options, world))
  command(host, 'explain', 'what the site would tell a host at its next boot, and why')
    .argument('<host>', HOST)
    .addOption(choice('--platform <platform>', 'if its firmware were that', Platform))
    .option('--script', 'the script that it would get, and nothing else')
    .action(async (name: string, { platform, script, ...options }: JsonOption & { platform?: Platform; script?: true }) => {
      const manager = await connect(world)
      const found = await findHost(manager, name)
      const query = platform === undefined ? {} : { platform }
      const explained = await (await manager.api.explain.hosts[':id'].explain.$get({ param: { id: found.id }, query })).json()
      const printer = createPrinter(world, options)
      if (options.json) return printer.value(explained)
      if (script) return printer.line(explained.script.text.trimEnd())
      for (const line of explainLines(found, explained)) printer.line(line)
    })
  command(host, 'timeline', 'the boots of a host, step by step, as bars')
    .argument('<host>', HOST)
    .option('--boots <number>', 'so many, newest first', whole(1, 1000), 1)
    .option('--why', 'what was decided on the way, and why')
    .option('-f, --follow', 'go on while it boots')
    .action(async (name: string, options: TimelineOptions) => {
      const manager = await connect(world)
      await timeline(manager, await findHost(manager, name), options, world)
    })
}

async function approve(manager: Manager, names: readonly string[], options: ApproveOptions, world: World): Promise<void> {
  const { selector, name, profile, tag, ...rest } = options
  const found = await chosen(manager, names, selector, (host) => !host.approved)
  if (name !== undefined && found.length > 1) throw new Failure('--name: expected a single host with it', { usage: true })
  const printer = createPrinter(world, rest)
  const items: Host[] = []
  for (const one of found) {
    const json = {
      approved: true,
      ...(name === undefined ? {} : { name }),
      ...(profile === undefined ? {} : { profile }),
      ...(tag === undefined ? {} : { tags: { ...one.tags, ...tag } }),
    }
    const done = await (await manager.api.hosts.hosts[':id'].$patch({ param: { id: one.id }, json })).json()
    items.push(done)
    if (!rest.json) printer.line(`approved ${addressOf(done)}${one.approved ? ' (it was before)' : ''}`)
  }
  if (rest.json) return printer.value({ items })
  const [first] = items
  if (first)
    printer.line(`  → install it: bridgehead host install ${addressOf(first)}${first.profile === undefined ? ' --profile PROFILE' : ''}`)
}

async function install(manager: Manager, names: readonly string[], options: InstallOptions, world: World): Promise<void> {
  const { selector, profile, yes, follow, ...rest } = options
  const found = await chosen(manager, names, selector, (host) => host.approved)
  if (follow && found.length > 1) throw new Failure('--follow: expected a single host with it', { usage: true })
  for (const one of found) if (profile === undefined && one.profile === undefined) throw await profileMissing(manager, one)
  for (const one of found)
    if (!one.approved)
      throw new Failure(`${addressOf(one)} waits for approval`, {
        code: 'not-approved',
        next: [`bridgehead host approve ${addressOf(one)}`],
      })
  if (!yes) await confirm(found, world)
  const printer = createPrinter(world, rest)
  const items = []
  for (const one of found) {
    const json = { kind: 'install' as const, ...(profile === undefined ? {} : { profile }) }
    items.push(await (await manager.api.hosts.hosts[':id'].intent.$post({ param: { id: one.id }, json })).json())
    if (!rest.json) printer.line(`${addressOf(one)} will be installed at its next boot from the network`)
  }
  const [first] = found
  if (rest.json) return printer.value({ items })
  if (first && follow) return timeline(manager, first, { follow, boots: 1 }, world)
  if (first) printer.line(`  → watch it: bridgehead host timeline ${addressOf(first)} --follow`)
}

/** Hosts by their names, or those of a selector that `fit`. Throws Failure when there is none. */
async function chosen(
  manager: Manager,
  names: readonly string[],
  selector: string | undefined,
  fit: (host: Host) => boolean,
): Promise<Host[]> {
  if ((selector === undefined) === (names.length === 0))
    throw new Failure(`expected either names of hosts or --selector, got ${selector === undefined ? 'neither' : 'both'}`, { usage: true })
  if (selector === undefined) return Promise.all(names.map((one) => findHost(manager, one)))
  const query = { selector: checkSelector(selector) }
  const found = (await (await manager.api.hosts.hosts.$get({ query })).json()).items.filter((host) => !host.retired && fit(host))
  if (found.length === 0)
    throw new Failure(`no host that this could be done to matches "${selector}"`, {
      code: 'no-hosts',
      next: [`bridgehead host ls '${selector}'`],
    })
  return found
}

async function profileMissing({ api }: Manager, host: Host): Promise<Failure> {
  const { items } = await (await api.scripts.profiles.$get()).json()
  const names = items.map((profile) => profile.name)
  return new Failure(`${addressOf(host)} has no profile, so it is not known what it shall become`, {
    code: 'no-profile',
    usage: true,
    next: [
      names.length > 0
        ? `--profile ${names.slice(0, 5).join('|')}`
        : 'there is no profile yet; make one in the console, or by POST /api/v1/profiles',
    ],
  })
}

/** What is lost is named, and its name is typed. */
async function confirm(hosts: readonly Host[], { ask, stderr }: World): Promise<void> {
  const names = hosts.map(addressOf)
  if (!ask)
    throw new Failure(`this overwrites the disk of ${names.join(', ')}`, {
      code: 'unconfirmed',
      usage: true,
      next: ['if that is meant: --yes'],
    })
  stderr.write(`this overwrites the disk of ${names.join(', ')}\n`)
  const wanted = hosts.length === 1 ? (hosts[0]?.name ?? '') : String(hosts.length)
  const typed = await ask(hosts.length === 1 ? `type ${wanted} to go on: ` : `type how many hosts that are (${wanted}) to go on: `)
  if (typed.trim() !== wanted) throw new Failure('not confirmed; nothing was changed', { code: 'unconfirmed' })
}

async function timeline(manager: Manager, host: Host, options: TimelineOptions, world: World): Promise<void> {
  const { follow, boots: limit, why = false, ...rest } = options
  const { api } = manager
  const printer = createPrinter(world, rest)
  const param = { id: host.id }
  const signal = world.interrupt()
  const news = follow && (await openFacts(manager, world, { host: host.id }, signal))
  const look = async () => (await api.facts.hosts[':id'].timeline.$get({ param, query: {} })).json()
  const screen = createScreen(world.stdout)
  const linesOf = (status: Host['status'], { boots }: Awaited<ReturnType<typeof look>>) =>
    bootLines({ ...host, status }, { boots }, { now: world.clock.now(), width: screen.width, limit, why })

  let seen = await look()
  if (!news) {
    if (rest.json) return printer.value(seen)
    for (const line of linesOf(host.status, seen)) printer.line(line)
    return
  }
  let status = host.status
  const draw = () => screen.show(linesOf(status, seen))
  if (!rest.json) draw()
  const stop = world.clock.every(500, () => {
    const [newest] = seen.boots
    if (!rest.json && newest && isLive(newest, status, world.clock.now())) draw()
  })
  try {
    for await (const { event, raw } of news) {
      if (event === undefined) continue
      if (rest.json) printer.value(raw, true)
      if (event.kind === 'host.status') status = event.data.status
      seen = await patiently(world, signal, look)
      if (!rest.json) draw()
      if (status === 'ready' || status === 'failed') break
    }
  } finally {
    stop()
  }
  screen.show([])
  if (!rest.json) for (const line of linesOf(status, seen)) printer.line(line)
  if (status === 'failed')
    throw new Failure(`${addressOf(host)} failed`, { code: 'host-failed', next: [`bridgehead host explain ${addressOf(host)}`] })
}
