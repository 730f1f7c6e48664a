import { runCli } from './cli.ts'
import { endQuietlyWithoutReader, processWorld } from './terminal.ts'
import { addWorkerCommands } from './worker-commands.ts'

endQuietlyWithoutReader()
const code = await runCli(process.argv.slice(2), processWorld(), addWorkerCommands)
if (code !== 0) process.exit(code) // a worker that could not start may hold connections
