import { spawn } from 'node:child_process'

export interface ToolResult {
  code: number
  /** Both streams. */
  text: string
  bytes: Buffer
}

/** Runs a program to its end. Throws when it could not be started, or was ended by a signal. */
export function runTool(argv: readonly [string, ...string[]]): Promise<ToolResult> {
  const [command, ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } })
    const out: Buffer[] = []
    const both: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => {
      out.push(chunk)
      both.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => both.push(chunk))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === null) reject(new Error(`${command} was ended by ${signal}`))
      else resolve({ code, text: Buffer.concat(both).toString(), bytes: Buffer.concat(out) })
    })
  })
}
