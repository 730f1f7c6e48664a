import { HostStatus } from '@bridgehead/shared/model/state.ts'
import { ago } from '@bridgehead/shared/text/ago.ts'
import type { Command } from 'commander'
import { connect, type Manager } from './api.ts'
import { findHost } from './find-host.ts'
import { addHostActions } from './host-actions.ts'
import { checkSelector, choice, command, group, type JsonOption } from './options.ts'
import { createPrinter, facts, table, tagsText } from './print.ts'
import type { Host } from './shapes.ts'
import { byUrgency, hostVerdict, sign, summary } from './verdicts.ts'
import type { World } from './world.ts'

interface ListOptions extends JsonOption {
  site?: string
  status?: HostStatus
}
const HOST = 'name, site/name, MAC address or id'

export function addHostCommands(program: Command, world: World): void {
  const host = group(program, 'host', 'machines, at all sites')
  command(host, 'ls', 'hosts, those that need you first')
    .argument('[selector]', "such as 'region=nuremberg,role in (edge,db),!gpu'", '')
    .option('--site <site>', 'of this site only')
    .addOption(choice('--status <status>', 'in this state only', HostStatus))
    .action(async (selector: string, options: ListOptions) => list(await connect(world), checkSelector(selector), options, world))
  command(host, 'show', 'one host')
    .argument('<host>', HOST)
    .action(async (name: string, options: JsonOption) => {
      const found = await findHost(await connect(world), name)
      const printer = createPrinter(world, options)
      if (options.json) return printer.value(found)
      for (const line of shown(found, world.clock.now())) printer.line(line)
    })
  addHostActions(host, world)
}

async function list({ api }: Manager, selector: string, options: ListOptions, world: World): Promise<void> {
  const { json, site, status } = options
  const query = { ...(selector === '' ? {} : { selector }), ...(site ? { site } : {}), ...(status ? { status } : {}) }
  const { items } = await (await api.hosts.hosts.$get({ query })).json()
  const printer = createPrinter(world, { json })
  if (json) return printer.value({ items })
  if (items.length === 0)
    return printer.line(
      Object.keys(query).length === 0
        ? 'no hosts yet\n  → boot a machine from the network at one of your sites, and it appears here'
        : 'no host matches\n  → all of them: bridgehead host ls',
    )
  const now = world.clock.now()
  const verdict = (one: Host) => hostVerdict(one, now)
  printer.line(summary(items.map(verdict), 'host'))
  printer.line()
  const rows = byUrgency(items, verdict).map((one) => {
    const { mark, text } = verdict(one)
    return [`${sign(mark)} ${one.siteName}/${one.name}`, text, one.address ?? one.ip ?? '', one.macs[0] ?? '', tagsText(one.tags)]
  })
  for (const line of table(['  host', 'state', 'address', 'mac', 'tags'], rows, world.stdout)) printer.line(line)
  for (const next of new Set(
    items
      .map((one) => verdict(one).next)
      .filter((one) => one !== undefined)
      .slice(0, 3),
  ))
    printer.line(`  → ${next}`)
}

function shown(host: Host, now: number): string[] {
  const { mark, text, next } = hostVerdict(host, now)
  const { intent, facts: known } = host
  return [
    `${sign(mark)} ${host.siteName}/${host.name}: ${text}`,
    ...facts([
      ['id', host.id],
      ['status', host.status],
      ['address', host.address ?? host.ip],
      ['reserved', host.ip],
      ['lan', host.lan],
      ['mac', host.macs.join(', ')],
      ['machine', [known.vendor, known.product].filter(Boolean).join(' ')],
      ['serial', host.serial ?? known.serial],
      ['uuid', host.uuid ?? known.uuid],
      ['firmware', known.platform],
      ['tags', tagsText(host.tags)],
      ['inherited', tagsText(Object.fromEntries(Object.entries(host.effectiveTags).filter(([key]) => !(key in host.tags))))],
      ['profile', host.profile],
      [
        'intent',
        intent && `${intent.kind}, ${intent.state}${intent.attempts > 0 ? ` (attempt ${intent.attempts})` : ''}, ${ago(intent.at, now)}`,
      ],
      ['first seen', ago(host.firstSeen, now)],
    ]),
    ...(next ? [`  → ${next}`] : []),
  ]
}
