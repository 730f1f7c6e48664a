import { Board } from '@bridgehead/shared/model/release.ts'
import { ago } from '@bridgehead/shared/text/ago.ts'
import { formatBytes } from '@bridgehead/shared/text/format.ts'
import { createScreen } from '@bridgehead/shared/text/screen.ts'
import type { Command } from 'commander'
import { z } from 'zod'
import type { Made } from '../engines/jobs/requests.ts'
import { connect, type Manager } from './api.ts'
import { download } from './download.ts'
import { Failure } from './failure.ts'
import { awaitMade } from './making.ts'
import { choice, command, type JsonOption } from './options.ts'
import { createPrinter, type Printer } from './print.ts'
import type { Ticket } from './shapes.ts'
import type { World } from './world.ts'

type Format = Ticket['downloads'][number]['format']
const Formats = z.enum(['img', 'img.zst', 'img.gz', 'img.xz'] satisfies Format[])

interface ImageOptions extends JsonOption {
  board: Board
  format: Format
  output?: string
  build?: true
  config?: true
}

/** `site image`: what makes a box of any kind this site's appliance. */
export function addImageCommand(site: Command, world: World): void {
  command(site, 'image', "the card or stick that becomes a site's appliance, with a one-time token inside")
    .argument('<site>', 'name or id')
    .addOption(choice('--board <board>', 'what the box is', Board).default('x86_64'))
    .addOption(choice('--format <format>', 'of what is fetched', Formats).default('img.xz'))
    .option('-o, --output <file>', 'fetch it, into this file or directory')
    .option('--build', 'build the image first, where there is none')
    .option('--config', 'only its bridgehead.json, for the daemon on a Debian machine of yours')
    .action(async (name: string, options: ImageOptions) => image(await connect(world), name, options, world))
}

async function image(manager: Manager, name: string, options: ImageOptions, world: World): Promise<void> {
  const printer = createPrinter(world, options)
  const param = { id: name }
  if (options.config) {
    const { config, expiresAt } = await (await manager.api.sites.sites[':id'].tokens.$post({ param, json: {} })).json()
    printer.value(config)
    return printer.note(`# its token is good once, and expires ${ago(expiresAt, world.clock.now())}`)
  }
  const { board } = options
  const wish = () => manager.api.tickets.sites[':id']['image-tickets'].$post({ param, json: { board } })
  const ticket = await (
    await wish().catch(async (error: unknown) => {
      if (!(error instanceof Failure) || error.code !== 'reference-unknown') throw error
      const again = `bridgehead site image ${name} --board ${board}`
      if (!options.build)
        throw new Failure(`there is no image for ${board} yet`, {
          code: error.code,
          next: [`build it first (some minutes): ${again} --build`],
          cause: error,
        })
      await buildImage(manager, board, `${again} --build`, printer, world)
      return wish()
    })
  ).json()
  const found = ticket.downloads.find(({ format }) => format === options.format)
  if (!found)
    throw new Failure(`there is no image as ${options.format}`, {
      next: [`--format ${ticket.downloads.map(({ format }) => format).join('|')}`],
    })

  if (options.output === undefined) {
    if (options.json) return printer.value(ticket)
    printer.line(`the image for ${name} (${board}), with its token inside; the addresses are good until ${time(ticket.expiresAt)}`)
    for (const { format, url } of ticket.downloads) printer.line(`  ${format.padEnd(7)}  ${url}`)
    return printer.line('  → write one to a card or stick, put it into the box, and switch it on; the site turns green by itself')
  }
  const { pathname, search } = new URL(found.url)
  const url = new URL(pathname + search, manager.url).href // the same manager, at the address that is known to work from here
  const made = await download(manager, world, createScreen(world.stderr), { from: { url }, to: options.output, name: found.fileName })
  if (options.json) return printer.value({ ...made, format: found.format })
  printer.line(`${made.file}  ${formatBytes(made.bytes)}`)
  printer.line('  → write it to a card or stick, put it into the box, and switch it on; the site turns green by itself')
}

async function buildImage(manager: Manager, board: Board, again: string, printer: Printer, world: World): Promise<void> {
  const body = JSON.stringify({ board })
  const answer = await manager.fetch('/appliance-images', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  const asked = (await answer.json()) as Made
  await awaitMade(manager, world, { asked, path: `/appliance-images/${asked.hash}`, what: `the image for ${board}`, again, printer })
}

const time = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
