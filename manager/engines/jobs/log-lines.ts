/** One line of a job's log. */
export interface LogLine {
  /** Grows from line to line of one job, also over restarts; its thousandth part is when the line was written (epoch ms). */
  id: number
  text: string
}

/** So many of a job's lines are kept, the newest. */
export const KEPT_LINES = 2_000

/**
 * Names lines by their time, because Redis drops old ones, so that their place in the list names nothing. A job that goes on elsewhere goes
 * on above what was, unless that machine's clock is behind by more than the pause.
 */
export function lineIds(now: () => number): () => number {
  let last = 0
  return () => {
    last = Math.max(now() * 1_000, last + 1)
    return last
  }
}

/** As a line lies in Redis: `1795000000000000 cc -c one.c`. */
export const encodeLine = ({ id, text }: LogLine): string => `${id} ${text}`

/** A line without a number, of an older version, is older than all others. */
export function decodeLine(kept: string): LogLine {
  const [, id, text] = /^(\d{13,16}) (.*)$/s.exec(kept) ?? []
  return id === undefined || text === undefined ? { id: 0, text: kept } : { id: Number(id), text }
}
