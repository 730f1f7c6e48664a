import { execa } from 'execa'
import { inside, type Running, type SpawnOptions, spawnIn } from './processes.ts'

export interface Done {
  stdout: string
  stderr: string
  exitCode: number
}

/** A box of the lab: one network namespace. */
export interface LabNode {
  readonly role: string
  readonly namespace: string
  /** IPv4, without prefix length; empty for a switch. */
  readonly address: string
  /** Runs a program to its end. Throws when it fails, unless `reject` is false. */
  exec(
    argv: readonly string[],
    options?: { input?: string; env?: Record<string, string>; timeoutMs?: number; reject?: boolean },
  ): Promise<Done>
  /** Starts a program that the lab ends when it closes. */
  spawn(name: string, argv: readonly string[], options?: SpawnOptions): Running
}

export function createNode({
  role,
  namespace,
  address,
  onSpawn,
}: {
  role: string
  namespace: string
  address: string
  onSpawn: (running: Running) => void
}): LabNode {
  return {
    role,
    namespace,
    address,
    async exec(argv, { input, env = {}, timeoutMs = 60_000, reject = true } = {}) {
      const [command = '', ...args] = [...inside(namespace), ...argv]
      const done = await execa(command, args, {
        env,
        timeout: timeoutMs,
        reject,
        ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
      })
      return { stdout: done.stdout, stderr: done.stderr, exitCode: done.exitCode ?? -1 }
    },
    spawn(name, argv, options) {
      const started = spawnIn(namespace, name, argv, options)
      onSpawn(started)
      return started
    },
  }
}

/** Several lines of `ip` in a namespace at once. Throws with the line that failed. */
export async function ipIn(namespace: string, lines: readonly string[]): Promise<void> {
  const [command = '', ...args] = [...inside(namespace), 'ip', '-batch', '-']
  await execa(command, args, { input: `${lines.join('\n')}\n` })
}
