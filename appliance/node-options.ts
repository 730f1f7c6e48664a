import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface NodeOptions {
  flags: string[]
  env: Record<string, string>
}

/** How Node shall run the daemon: the file `node-options` in the bundle's folder (without an argument: its source). */
export function nodeOptions(directory: string = import.meta.dirname): NodeOptions {
  const lines = readFileSync(join(directory, 'node-options'), 'utf8').split('\n')
  return {
    flags: lines.filter((line) => line.startsWith('--')),
    env: Object.fromEntries(lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split('=', 2))),
  }
}
