import { runCli } from './cli.ts'
import { endQuietlyWithoutReader, processWorld } from './terminal.ts'
import { addWorkerCommands } from './worker-commands.ts'

endQuietlyWithoutReader()
process.exitCode = await runCli(process.argv.slice(2), processWorld(), addWorkerCommands)
