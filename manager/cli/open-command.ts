import type { Command } from 'commander'
import { connect, type Manager } from './api.ts'
import { Failure } from './failure.ts'
import { findHost } from './find-host.ts'
import { command, type JsonOption } from './options.ts'
import { createPrinter } from './print.ts'
import type { World } from './world.ts'

/** Pages of the console by what they show. */
const PAGES: Record<string, (manager: Manager, name: string | undefined) => Promise<string>> = {
  sites: async () => '/sites',
  hosts: async (_, selector) => (selector === undefined ? '/hosts' : `/hosts?selector=${encodeURIComponent(selector)}`),
  scripts: async () => '/scripts',
  media: async () => '/media',
  runs: async () => '/runs',
  site: async ({ api }, name) => `/sites/${(await (await api.sites.sites[':id'].$get({ param: { id: wanted(name) } })).json()).id}`,
  host: async (manager, name) => `/hosts/${(await findHost(manager, wanted(name))).id}`,
  script: async ({ api }, name) =>
    `/scripts/${(await (await api.scripts.scripts[':id'].$get({ param: { id: wanted(name) }, query: {} })).json()).id}`,
  run: async (_, id) => `/runs/${encodeURIComponent(wanted(id))}`,
}

export function addOpenCommand(program: Command, world: World): void {
  command(program, 'open', 'prints where something is in the console')
    .argument('[what]', Object.keys(PAGES).join(', '))
    .argument('[name]', 'its name; of hosts a selector')
    .action(async (what: string | undefined, name: string | undefined, options: JsonOption) => {
      const manager = await connect(world)
      const page = what === undefined ? undefined : Object.hasOwn(PAGES, what) ? PAGES[what] : undefined
      if (what !== undefined && !page)
        throw new Failure(`there is no page for "${what}"`, { usage: true, next: [`expected one of ${Object.keys(PAGES).join(', ')}`] })
      const url = `${manager.url}${page ? await page(manager, name) : '/'}`
      const printer = createPrinter(world, options)
      if (options.json) printer.value({ url })
      else printer.line(url)
    })
}

function wanted(name: string | undefined): string {
  if (name === undefined) throw new Failure('expected its name', { usage: true, next: ['such as: bridgehead open site berlin'] })
  return name
}
