import { ago } from '@bridgehead/shared/text/ago.ts'
import type { Command } from 'commander'
import { connect, type Manager } from './api.ts'
import { command, type JsonOption } from './options.ts'
import { count, createPrinter, facts, printable, table, tagsText } from './print.ts'
import { type Mark, sign, siteVerdict } from './verdicts.ts'
import type { World } from './world.ts'

const SITE = 'name or id'
const MARKS: Record<'ok' | 'attention' | 'off' | 'unknown', Mark | undefined> = {
  ok: 'ok',
  attention: 'attention',
  off: undefined,
  unknown: undefined,
}

/** What one site is, gives out and answers. */
export function addSiteViews(site: Command, world: World): void {
  command(site, 'show', 'one site: its services, and what it waits for')
    .argument('<site>', SITE)
    .action(async (name: string, options: JsonOption) => show(await connect(world), name, options, world))
  command(site, 'leases', 'addresses that a site has given out')
    .argument('<site>', SITE)
    .action(async (id: string, options: JsonOption) => {
      const { api } = await connect(world)
      const { items } = await (await api.views.sites[':id'].leases.$get({ param: { id } })).json()
      const printer = createPrinter(world, options)
      if (options.json) return printer.value({ items })
      printer.line(items.length === 0 ? 'no address is leased' : `${count(items.length, 'address', 'addresses')} leased\n`)
      const now = world.clock.now()
      const rows = items.map((one) => [one.lan, one.ip, one.host?.name ?? one.hostname ?? '', one.mac, ago(one.until, now)])
      for (const line of table(['lan', 'address', 'name', 'mac', 'until'], rows, world.stdout)) printer.line(line)
    })
  command(site, 'names', "what a site's DNS answers")
    .argument('<site>', SITE)
    .action(async (id: string, options: JsonOption) => {
      const { api } = await connect(world)
      const found = await (await api.views.sites[':id'].names.$get({ param: { id } })).json()
      const printer = createPrinter(world, options)
      if (options.json) return printer.value(found)
      printer.line(`${count(found.items.length, 'name')}${found.problems.length > 0 ? `, ${found.problems.length} left out` : ''}\n`)
      for (const { name, why } of found.problems) printer.line(`${sign('attention')} ${printable(`${name}: ${why}`)}`)
      const rows = found.items.map((one) => [one.name, one.type, one.value, one.from ?? 'appliance'])
      for (const line of table(['name', 'type', 'value', 'from'], rows, world.stdout)) printer.line(line)
    })
}

async function show({ api }: Manager, name: string, options: JsonOption, world: World): Promise<void> {
  const site = await (await api.sites.sites[':id'].$get({ param: { id: name } })).json()
  const param = { id: site.id }
  const { items: pending } = await (await api.sites.sites[':id'].pending.$get({ param })).json()
  const { items: hosts } = await (await api.hosts.hosts.$get({ query: { site: site.id } })).json()
  const services = await (await api.views.sites[':id'].services.$get({ param })).json()
  const printer = createPrinter(world, options)
  if (options.json) return printer.value({ ...site, pending, hosts: hosts.length, services })
  const now = world.clock.now()
  const { mark, text, next } = siteVerdict(site, now)
  const waiting = hosts.filter((host) => !host.approved && !host.retired).length
  printer.line(`${sign(mark)} ${site.name}: ${text}`)
  const { appliance, online } = site
  const pairs: [string, string | undefined][] = [
    ['id', site.id],
    ['tags', tagsText(site.tags)],
    ['hosts', `${hosts.length}${waiting > 0 ? `, ${waiting} of them to be approved` : ''}`],
    ['dns', `${site.dns.zone}${site.dns.records.length > 0 ? `, ${count(site.dns.records.length, 'record')}` : ''}`],
    ['unknown', `machines that nobody knows: ${site.unknown}`],
    ['appliance', appliance && [appliance.hardware.model, `version ${online?.version ?? appliance.version}`].filter(Boolean).join(', ')],
    ['enrolled', appliance && ago(appliance.enrolledAt, now)],
    ['overlay', appliance?.overlayAddress],
    ['revision', `${site.stateRevision} wanted, ${online?.revision ?? appliance?.appliedRevision ?? 'none'} applied`],
    ['outbox', online && online.outbox > 0 ? `${count(online.outbox, 'fact')} still to come` : undefined],
  ]
  for (const lan of site.lans) pairs.push([`lan ${lan.name}`, `${lan.subnet}, appliance at ${lan.address}, ${lan.mode}`])
  for (const line of facts(pairs)) printer.line(line)
  for (const { service, state, sentence } of appliance ? services.items : []) {
    const mark = MARKS[state]
    printer.line(`${mark === undefined ? '·' : sign(mark)} ${service.padEnd(8)}  ${printable(sentence)}`)
  }
  for (const { server, lan, lastSeen } of services.foreignServers)
    printer.line(`${sign('attention')} another DHCP server on lan ${lan}: ${server}, heard ${ago(lastSeen, now)}`)
  for (const box of pending)
    printer.line(
      `! a box waits with code ${box.code} (${box.hardware.model ?? box.hardware.serial ?? 'unknown hardware'}, ${ago(box.lastSeen, now)})`,
    )
  if (next) printer.line(`  → ${next}`)
  if (waiting > 0) printer.line(`  → bridgehead host ls --site ${site.name}`)
}
