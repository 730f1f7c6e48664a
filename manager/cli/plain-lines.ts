import { z } from 'zod'

const Entry = z.looseObject({ level: z.number(), time: z.number(), event: z.string() })
const LEVELS: Record<number, string> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** A log line of JSON -> `12:30:01 info  job.started job=abc kind=build`, for people. What is no such line stays as it is. */
export function plainLines(line: string): string {
  const read = Entry.safeParse(parsed(line))
  if (!read.success) return line
  const { level, time, event, name: _, ...fields } = read.data
  const clock = new Date(time).toISOString().slice(11, 19)
  const shown = Object.entries(fields).map(([key, value]) => ` ${key}=${text(value)}`)
  return `${clock} ${(LEVELS[level] ?? String(level)).padEnd(5)} ${event}${shown.join('')}\n`
}

function text(value: unknown): string {
  if (value !== null && typeof value === 'object' && 'message' in value) return JSON.stringify(value.message) // an error
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value)
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // not ours: shown as it is
  }
}
