import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'

/** A program of the lab. It dies with the process that started it, even by kill -9 (PR_SET_PDEATHSIG). */
export interface Running {
  readonly name: string
  readonly pid: number
  /** Where its output goes. */
  readonly logFile: string | undefined
  /** Resolves with exit code or signal once it is gone; never rejects. */
  readonly gone: Promise<string>
  readonly alive: boolean
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL after `graceMs`; resolves once it is gone. */
  end(graceMs?: number): Promise<void>
}

export interface SpawnOptions {
  env?: Record<string, string> | undefined
  cwd?: string | undefined
  /** Both streams go here. */
  logFile?: string | undefined
  /** Standard error goes here instead. */
  errorFile?: string | undefined
  /** Gets standard output as it comes, besides the file. */
  onOutput?: ((chunk: Buffer) => void) | undefined
}

/**
 * The words before a command that put it into a namespace. Not `ip netns exec`: that remounts /, which fails in a chroot.
 * `nsenter` and `setpriv` replace themselves, so a pid is the program's own.
 */
export function inside(namespace: string): string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--']
}

/** Starts `argv` in `namespace`. */
export function spawnIn(namespace: string, name: string, argv: readonly string[], options: SpawnOptions = {}): Running {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...inside(namespace), ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const file = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' })
  child.stdout.on('data', (chunk: Buffer) => {
    file?.write(chunk)
    options.onOutput?.(chunk)
  })
  const errors = options.errorFile === undefined ? file : createWriteStream(options.errorFile, { flags: 'a' })
  child.stderr.on('data', (chunk: Buffer) => errors?.write(chunk))
  return running(name, child, options.logFile, () => {
    file?.end()
    if (errors !== file) errors?.end()
  })
}

function running(name: string, child: ChildProcess, logFile: string | undefined, onGone: () => void): Running {
  let alive = true
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  }).then((how) => {
    alive = false
    return how
  })
  child.once('close', onGone)
  return {
    name,
    pid: child.pid ?? 0,
    logFile,
    gone,
    get alive() {
      return alive
    },
    kill: (signal) => void child.kill(signal),
    async end(graceMs = 10_000) {
      if (!alive) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await gone
      clearTimeout(timer)
    },
  }
}
