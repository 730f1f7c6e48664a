import { cpSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Copies every `*.log` below `directory` to a new directory that nobody removes; returns its path. */
export function saveLogs(directory: string): string {
  const to = mkdtempSync(join(tmpdir(), 'bridgehead-logs-'))
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.log')) cpSync(join(directory, name), join(to, name.replaceAll('/', '-')))
  return to
}
