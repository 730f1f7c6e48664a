import type { Out, World } from './world.ts'

/** Answers: text for people, or with --json what the API says, for programs. */
export interface Printer {
  readonly json: boolean
  line(text?: string): void
  /** One JSON document; one line when `compact`, as in streams. */
  value(value: unknown, compact?: boolean): void
  /** Something on the side, on standard error; not with --json. */
  note(text: string): void
}

export function createPrinter(world: Pick<World, 'stdout' | 'stderr' | 'env'>, { json = false }: { json?: boolean | undefined }): Printer {
  const colours = world.stdout.isTTY === true && !world.env.NO_COLOR
  return {
    json,
    line: (text = '') => void world.stdout.write(`${colours ? painted(text) : text}\n`),
    value: (value, compact = false) => void world.stdout.write(`${JSON.stringify(value, null, compact ? undefined : 2)}\n`),
    note: (text) => void (json || world.stderr.write(`${text}\n`)),
  }
}

/** Signs differ by shape already; on a terminal by colour too. */
const COLOURS: Record<string, number> = { '✓': 32, '…': 36, '!': 33, '✗': 31 }
function painted(line: string): string {
  const [, shape = '', rest = ''] = /^([✓…!✗])( .*)$/.exec(line) ?? []
  return shape === '' ? line : `\x1b[${COLOURS[shape]}m${shape}\x1b[0m${rest}`
}

/** Columns as wide as they must be, the last one as it comes. Nothing for no rows. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], out: Pick<Out, 'isTTY' | 'columns'>): string[] {
  if (rows.length === 0) return []
  const all = [heads, ...rows.map((row) => row.map(printable))]
  const widths = heads.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))))
  const limit = out.isTTY ? (out.columns ?? 100) : Number.POSITIVE_INFINITY
  return all.map((row) => {
    const cells = row.map((cell, column) => (column === heads.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell))))
    return cut(cells.join('  ').trimEnd(), limit)
  })
}

/** `name: value` lines, values in one column; without a value no line. */
export function facts(pairs: readonly (readonly [string, string | undefined])[]): string[] {
  const shown = pairs.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value] as const]))
  const widest = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `  ${name.padEnd(widest)}  ${printable(value)}`)
}

/** Without control characters: nothing that a machine says of itself may move the cursor of whoever reads it. */
export function printable(text: string): string {
  return text.replace(/[\0-\x08\x0a-\x1f\x7f-\x9f]/g, '\ufffd')
}

export const tagsText = (tags: Readonly<Record<string, string>>) =>
  Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

export const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`

function cut(line: string, limit: number): string {
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line
}

const width = (text: string) => [...text].length
