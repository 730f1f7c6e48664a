import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

/** How a program ended. */
export interface ProgramEnd {
  stdout: string
  stderr: string
  /** Undefined when a signal ended it, or it never ran. */
  exitCode: number | undefined
  signal: string | undefined
  /** Of the system, when it could not be run: `ENOENT`, `EACCES`. */
  code: string | undefined
  /** Anything but exit code 0. */
  failed: boolean
  /** In a few words: `exit code 2`, `killed by SIGTERM`, `not within 15 s`, `not installed`. */
  how: string
}

export interface Program {
  /** Undefined when it could not be run. */
  readonly pid: number | undefined
  /** Where it was asked for. */
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
  /** Never rejects. */
  readonly gone: Promise<ProgramEnd>
  signal(name: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL after `graceMs`; resolves once it is gone. */
  end(graceMs?: number): Promise<void>
}

export interface ProgramOptions {
  /** Added to our own environment. */
  env?: Readonly<Record<string, string>>
  /** Lives on when this process ends, and gets no Ctrl-C of its terminal. */
  detached?: boolean
  /** Streams for the caller; the others go nowhere. */
  read?: readonly ('stdout' | 'stderr')[]
}

/**
 * Starts a program, never by a shell. The appliance's own small part of what execa does: that one takes 5 MiB of a box's memory as soon as
 * it is loaded.
 */
export function startProgram(file: string, args: readonly string[], { env, detached = false, read = [] }: ProgramOptions = {}): Program {
  const stream = (name: 'stdout' | 'stderr') => (read.includes(name) ? 'pipe' : 'ignore')
  const child = spawn(file, [...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', stream('stdout'), stream('stderr')],
    detached,
  })
  const gone = ended(child).then(({ end }) => end({ stdout: '', stderr: '' }))
  if (!detached) endWithUs(child, gone)
  return {
    pid: child.pid,
    stdout: child.stdout ?? undefined,
    stderr: child.stderr ?? undefined,
    gone,
    signal: (name) => void child.kill(name),
    async end(graceMs = 5_000) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await gone
      clearTimeout(timer)
    },
  }
}

/** Runs a program to its end and gives what it wrote, without the last line's end. Never rejects; killed after `timeoutMs`. */
export async function runProgram(
  file: string,
  args: readonly string[],
  { env, input, timeoutMs = 15_000 }: { env?: Readonly<Record<string, string>>; input?: string | undefined; timeoutMs?: number } = {},
): Promise<ProgramEnd> {
  const child = spawn(file, [...args], {
    env: { ...process.env, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  child.stdin?.on('error', () => undefined) // it ended without reading; its end says how
  child.stdin?.end(input)
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, timeoutMs)
  const { end } = await ended(child)
  clearTimeout(timer)
  const result = end({ stdout: said.stdout.replace(/\n$/, ''), stderr: said.stderr.replace(/\n$/, '') })
  return late ? { ...result, how: `not within ${timeoutMs / 1000} s` } : result
}

type Said = Pick<ProgramEnd, 'stdout' | 'stderr'>

function ended(child: ChildProcess): Promise<{ end: (said: Said) => ProgramEnd }> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const how = error.code === 'ENOENT' ? 'not installed' : error.message
      if (child.pid === undefined)
        resolve({ end: (said) => ({ ...said, exitCode: undefined, signal: undefined, code: error.code, failed: true, how }) })
    })
    child.once('close', (exitCode, signal) => {
      const how = signal ? `killed by ${signal}` : `exit code ${exitCode}`
      const parts = { exitCode: exitCode ?? undefined, signal: signal ?? undefined, code: undefined, failed: exitCode !== 0, how }
      resolve({ end: (said) => ({ ...said, ...parts }) })
    })
  })
}

/** Not when we are killed: whoever starts such a program looks for an old one first. */
function endWithUs(child: ChildProcess, gone: Promise<unknown>): void {
  const kill = () => void child.kill('SIGTERM')
  process.once('exit', kill)
  void gone.then(() => process.off('exit', kill))
}
