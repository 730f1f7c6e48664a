import type { LogLine } from '../../../../engines/jobs/log-lines.ts'
import type { Made } from '../../../../engines/jobs/requests.ts'

export const underWay = ({ state }: Pick<Made, 'state'>) => state === 'waiting' || state === 'making'

/** A browser has six connections to one manager, and the stream of facts and other tabs need some. */
const FOLLOWED = 2

/** Hashes of those that a page follows live: what is being made before what waits for its turn. When one ends, the list is read again. Pure. */
export function followed(items: readonly Pick<Made, 'hash' | 'state'>[]): ReadonlySet<string> {
  const order = [...items.filter(({ state }) => state === 'making'), ...items.filter(({ state }) => state === 'waiting').reverse()]
  return new Set(order.slice(0, FOLLOWED).map(({ hash }) => hash))
}

/** What a line on a page can hold. */
const LONG = 300

/** The reason of a failure as a line, and the whole of it where it is longer. Pure. */
export function reasonOf(error = 'failed'): { line: string; whole?: string } {
  return error.length > LONG ? { line: `${error.slice(0, LONG).trimEnd()} ...`, whole: error } : { line: error }
}

/** What a page keeps of a log. */
const SHOWN_LINES = 5_000

/** The lines so far with those that came; one that came twice is there once. Pure. */
export function withLines(before: readonly LogLine[], news: readonly LogLine[]): readonly LogLine[] {
  const last = before.at(-1)?.id ?? -1
  const fresh = news.filter(({ id }) => id > last)
  return fresh.length === 0 ? before : [...before, ...fresh].slice(-SHOWN_LINES)
}

/** `12:03:04 cc -c one.c`, in this browser's time zone. Pure. */
export function logText(lines: readonly LogLine[], time: (at: Date) => string = clockTime): string {
  return lines.map(({ id, text }) => `${time(new Date(id / 1_000))} ${text}`).join('\n')
}
const format = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const clockTime = (at: Date) => format.format(at)
