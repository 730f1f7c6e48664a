import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { Failure } from './failure.ts'
import type { World } from './world.ts'

/** The world of a real process. */
export function processWorld(): World {
  const { stdin, stdout, stderr, env } = process
  const interrupted = new AbortController()
  let listening = false
  return {
    ...{ env, stdin, stdout, stderr, clock: systemClock },
    ask: stdin.isTTY && stderr.isTTY ? ask : undefined,
    interrupt() {
      if (!listening)
        process.on('SIGINT', () => {
          if (interrupted.signal.aborted) process.exit(130) // asked twice
          interrupted.abort()
        })
      listening = true
      return interrupted.signal
    },
  }
}

async function ask(question: string, { secret = false }: { secret?: boolean } = {}): Promise<string> {
  if (secret) process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: secret ? silent : process.stderr, terminal: true })
  terminal.on('SIGINT', () => {
    process.stderr.write('\n')
    process.exit(130)
  })
  const ended = new Promise<never>((_, reject) => {
    terminal.once('close', () => reject(new Failure('nothing was typed', { code: 'interrupted' }))) // Ctrl-D
  })
  try {
    return await Promise.race([terminal.question(secret ? '' : question), ended])
  } finally {
    terminal.close()
    if (secret) process.stderr.write('\n')
  }
}

/** Whoever reads our output may have enough of it (`| head`): that is no failure. */
export function endQuietlyWithoutReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}
