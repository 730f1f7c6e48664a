import { runCli } from './cli.ts'
import { endQuietlyWithoutReader, processWorld } from './terminal.ts'

// What is bundled for people's own machines: all that asks a manager. An installation has main.ts, which can work for one too.
endQuietlyWithoutReader()
process.exitCode = await runCli(process.argv.slice(2), processWorld())
