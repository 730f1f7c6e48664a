import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { z } from 'zod'

const Line = z.looseObject({ event: z.string() })
export type LogLine = z.infer<typeof Line>

export interface RunningWorker {
  pid: number
  lines: LogLine[]
  kill(signal: NodeJS.Signals): boolean
  /** Exit code, or the signal that ended it. */
  ended: Promise<number | string>
}

/** Starts a worker with only these variables; resolves once it says that it is ready. Throws with its last words when it ends before. */
export async function startWorkerProcess(argv: [string, ...string[]], env: Record<string, string>): Promise<RunningWorker> {
  const child: ChildProcess = spawn(argv[0], argv.slice(1), {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const lines: LogLine[] = []
  const words: string[] = []
  const ready = new Promise<void>((resolve) => {
    if (child.stderr)
      createInterface({ input: child.stderr }).on('line', (line) => {
        words.push(line)
        if (!line.startsWith('{')) return
        const entry = Line.parse(JSON.parse(line))
        lines.push(entry)
        if (entry.event === 'worker.ready') resolve()
      })
  })
  // `exit` may come before its last lines have been read.
  const ended = once(child, 'close').then(([code, signal]) => z.union([z.number(), z.string()]).parse(code ?? signal))
  const outcome = await Promise.race([ready, ended])
  if (outcome !== undefined) throw new Error(`the worker ended (${outcome}): ${words.slice(-5).join('\n')}`)
  return { pid: child.pid ?? 0, lines, kill: (signal) => child.kill(signal), ended }
}

/** Processes whose command line holds `text`. */
export async function processesWith(text: string): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') // gone meanwhile
    if (line.includes(text)) found.push(`${pid} ${line.replaceAll('\0', ' ').slice(0, 200)}`)
  }
  return found
}
