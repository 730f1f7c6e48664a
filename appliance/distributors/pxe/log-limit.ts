import type { Clock } from '@bridgehead/shared/clock.ts'
import type { Log } from '@bridgehead/shared/log.ts'

/**
 * Lets the network write at most `perMinute` lines: what is left out is counted, and told as `log.left_out` with the next line that
 * passes. Errors always pass, for they are ours.
 */
export function limitedLog(log: Log, clock: Clock, perMinute: number): Log {
  let windowEnds = 0
  let written = 0
  let leftOut = 0
  const passes = () => {
    const now = clock.now()
    if (now >= windowEnds) {
      windowEnds = now + 60_000
      written = 0
      if (leftOut > 0) log.warn('log.left_out', { lines: leftOut })
      leftOut = 0
    }
    if (written < perMinute) return ++written > 0
    leftOut++
    return false
  }
  return {
    debug: (event, fields) => passes() && log.debug(event, fields),
    info: (event, fields) => passes() && log.info(event, fields),
    warn: (event, fields) => passes() && log.warn(event, fields),
    error: log.error,
    child: (fields) => limitedLog(log.child(fields), clock, perMinute),
  }
}
