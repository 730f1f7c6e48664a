import { type BuildError, type Confined, runConfined } from '@bridgehead/manager/builders/confine/confine.ts'

/** Runs one confined command (JSON in the first argument) and prints what became of it, a JSON object a line. Killed by its test. */
const plan = JSON.parse(process.argv[2] ?? '') as Omit<Confined, 'signal' | 'onLine'>
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
await runConfined({ ...plan, signal: new AbortController().signal, onLine: (line) => void say({ line }) }).then(
  () => say({ done: true }),
  ({ reason, message }: BuildError) => say({ reason, message }),
)
