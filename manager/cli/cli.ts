import { Command, CommanderError } from 'commander'
import { addAuditCommand } from './audit-command.ts'
import { addCompletionCommand } from './completion-command.ts'
import { EXIT, Failure } from './failure.ts'
import { addHostCommands } from './host-commands.ts'
import { addLoginCommands } from './login-commands.ts'
import { addLogsCommand } from './logs-commands.ts'
import { addMediaCommands } from './media-commands.ts'
import { addOpenCommand } from './open-command.ts'
import { reasons } from './reasons.ts'
import { addRunCommands } from './run-commands.ts'
import { addScriptCommands } from './script-commands.ts'
import { addSiteCommands } from './site-commands.ts'
import type { World } from './world.ts'

export const VERSION = '0.1.0'

/** Every command that asks a manager. `more` adds those of an installation. */
export function createProgram(world: World, more: (program: Command) => void = () => {}, json = false): Command {
  const program = new Command('bridgehead')
    .description('Turns bare machines at many sites into managed hosts.')
    .version(VERSION)
    .showHelpAfterError(json ? false : '(add --help for what is expected)')
    .enablePositionalOptions() // what comes after a command is that command's own
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void world.stdout.write(text),
      writeErr: (text) => void world.stderr.write(text),
      ...(json ? { outputError: () => {} } : {}), // said below, as an object
      getOutHelpWidth: () => world.stdout.columns ?? 100,
      getErrHelpWidth: () => world.stderr.columns ?? 100,
    })
    .addHelpText(
      'after',
      `
Environment:
  BRIDGEHEAD_URL, BRIDGEHEAD_KEY  the manager and the API key, in place of what login kept
  NO_COLOR                        no colours

Exit codes: 0 done, 1 failed, 2 what was typed cannot be.`,
    )
  for (const add of [
    addLoginCommands,
    addSiteCommands,
    addHostCommands,
    addScriptCommands,
    addRunCommands,
    addMediaCommands,
    addLogsCommand,
    addAuditCommand,
    addOpenCommand,
    addCompletionCommand,
  ])
    add(program, world)
  more(program)
  return program
}

/** Runs one command line (without `node` and file). Resolves with its exit code; everything was said. */
export async function runCli(args: readonly string[], world: World, more?: (program: Command) => void): Promise<number> {
  const end = args.indexOf('--')
  const json = args[0] !== 'worker' && args.slice(0, end < 0 ? undefined : end).includes('--json') // of a worker it is about its log
  try {
    await createProgram(world, more, json).parseAsync([...args], { from: 'user' })
    return EXIT.done
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done
      if (json)
        tell(new Failure(error.message.replace(/^error: /, ''), { code: 'usage', usage: true }), world, json) // else commander has said it
      else if (error.code === 'commander.unknownOption' && args[0] === 'run' && !args.includes('--'))
        world.stderr.write("  → options of the command itself come after --: bridgehead run 'role=edge' -- uname -a\n")
      return EXIT.usage
    }
    tell(error, world, json)
    return error instanceof Failure ? error.exitCode : EXIT.failed
  }
}

function tell(error: unknown, { stderr }: World, json: boolean): void {
  const { details = [], next = [], code = 'failed' } = error instanceof Failure ? error : {}
  if (json) {
    const message = error instanceof Failure ? error.message : reasons(error).join('; ')
    stderr.write(`${JSON.stringify({ error: { code, message, ...(details.length > 0 ? { details } : {}), next } })}\n`)
    return
  }
  const [first = '', ...rest] = error instanceof Failure ? error.message.split('\n') : reasons(error)
  for (const line of [`bridgehead: ${first}`, ...rest, ...details, ...next.map((one) => `  → ${one}`)]) stderr.write(`${line}\n`)
}
