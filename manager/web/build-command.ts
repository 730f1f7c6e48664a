import { buildConsole } from './build.ts'

/** `node manager/web/build-command.ts`: what `npm start` and the others do before they begin. */
const ms = await buildConsole()
if (ms !== undefined) process.stderr.write(`setup: console built in ${(ms / 1000).toFixed(1)} s\n`)
