import { ago } from '@bridgehead/shared/text/ago.ts'
import type { Command } from 'commander'
import { connect } from './api.ts'
import { command, type JsonOption, whole } from './options.ts'
import { createPrinter, table } from './print.ts'
import type { World } from './world.ts'

export function addAuditCommand(program: Command, world: World): void {
  command(program, 'audit', 'who changed what, newest first')
    .option('-n, --lines <number>', 'so many', whole(1, 500), 50)
    .option('--before <seq>', 'those before this one (`seq` in --json)', whole(1, Number.MAX_SAFE_INTEGER))
    .option('--target <id>', 'of this site, host or script only')
    .action(async ({ lines, before, target, ...options }: JsonOption & { lines: number; before?: number; target?: string }) => {
      const { api } = await connect(world)
      const query = {
        limit: `${lines}`,
        ...(before === undefined ? {} : { before: `${before}` }),
        ...(target === undefined ? {} : { target }),
      }
      const { items } = await (await api.audit.audit.$get({ query })).json()
      const printer = createPrinter(world, options)
      if (options.json) return printer.value({ items })
      if (items.length === 0) return printer.line('nothing was changed')
      const now = world.clock.now()
      const rows = items.map(({ at, actor, action, target: what, detail }) => [
        ...[ago(at, now), actor.name, action, what?.name ?? what?.id ?? ''],
        Object.entries(detail)
          .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
          .join(' '),
      ])
      for (const line of table(['when', 'who', 'what', 'of', 'how'], rows, world.stdout)) printer.line(line)
    })
}
