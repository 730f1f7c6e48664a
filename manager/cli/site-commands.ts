import { networkOf } from '@bridgehead/shared/model/address.ts'
import { LanMode } from '@bridgehead/shared/model/state.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { connect, type Manager } from './api.ts'
import { addImageCommand } from './image-command.ts'
import { checkSelector, choice, command, group, type JsonOption, pairs } from './options.ts'
import { count, createPrinter, table, tagsText } from './print.ts'
import type { NewSite, Site } from './shapes.ts'
import { addSiteViews } from './site-views.ts'
import { byUrgency, sign, siteVerdict, summary } from './verdicts.ts'
import type { World } from './world.ts'

interface NewSiteOptions extends JsonOption {
  lan: NonNullable<NewSite['lans']>
  mode: LanMode
  tag?: Record<string, string>
}

export function addSiteCommands(program: Command, world: World): void {
  const site = group(program, 'site', 'locations, each with its appliance')
  command(site, 'ls', 'sites, those that need you first')
    .argument('[selector]', 'such as region=nuremberg', '')
    .action(async (selector: string, options: JsonOption) => list(await connect(world), checkSelector(selector), options, world))
  command(site, 'add', 'make a site')
    .argument('<name>', 'lower-case letters, digits and dashes')
    .option(
      '--lan <address>',
      "the appliance's own address with its prefix, such as 192.168.1.2/24 or shop=192.168.1.2/24; may be given again",
      lans,
    )
    .addOption(choice('--mode <mode>', 'of each lan', LanMode).default('proxy'))
    .option('--tag <key=value>', 'may be given again', pairs)
    .action(async (name: string, options: NewSiteOptions) => add(await connect(world), name, options, world))
  addSiteViews(site, world)
  addImageCommand(site, world)
}

async function list({ api }: Manager, selector: string, options: JsonOption, world: World): Promise<void> {
  const { items } = await (await api.sites.sites.$get({ query: selector === '' ? {} : { selector } })).json()
  const printer = createPrinter(world, options)
  if (options.json) return printer.value({ items })
  if (items.length === 0)
    return printer.line(
      selector === ''
        ? 'no sites yet\n  → make the first one: bridgehead site add NAME --lan 192.168.1.2/24'
        : `no site matches ${selector}\n  → all of them: bridgehead site ls`,
    )
  const now = world.clock.now()
  const verdict = (one: Site) => siteVerdict(one, now)
  printer.line(summary(items.map(verdict), 'site'))
  printer.line()
  const rows = byUrgency(items, verdict).map((one) => {
    const { mark, text } = verdict(one)
    return [`${sign(mark)} ${one.name}`, text, one.lans.map((lan) => `${lan.subnet} ${lan.mode}`).join(', '), tagsText(one.tags)]
  })
  for (const line of table(['  site', 'state', 'lans', 'tags'], rows, world.stdout)) printer.line(line)
  for (const next of new Set(
    items
      .map((one) => verdict(one).next)
      .filter((one) => one !== undefined)
      .slice(0, 3),
  ))
    printer.line(`  → ${next}`)
}

async function add({ api }: Manager, name: string, { lan = [], mode, tag, ...options }: NewSiteOptions, world: World): Promise<void> {
  const lans = lan.map((one) => ({ ...one, mode }))
  const made = await (await api.sites.sites.$post({ json: { name, lans, ...(tag ? { tags: tag } : {}) } })).json()
  const printer = createPrinter(world, options)
  if (options.json) return printer.value(made)
  printer.line(`made site ${made.name} with ${count(made.lans.length, 'lan')}`)
  printer.line(`  → its appliance: bridgehead site image ${made.name}`)
}

/** `shop=192.168.1.2/24` -> a lan; without a name it is `lan`, `lan2`, ... */
function lans(text: string, before: NewSiteOptions['lan'] = []): NewSiteOptions['lan'] {
  const [, name, address = '', prefix = ''] = /^(?:([^=]+)=)?([\d.]+)\/(\d{1,2})$/.exec(text) ?? []
  if (address === '' || Number(prefix) > 32) throw new InvalidArgumentError('expected an address with its prefix, such as 192.168.1.2/24')
  return [
    ...before,
    { name: name ?? `lan${before.length === 0 ? '' : before.length + 1}`, subnet: networkOf(`${address}/${prefix}`), address },
  ]
}
