/**
 * Milliseconds to wait before try number `attempt` (0 is the first repeat). Three fast ones, so that a restart of the manager
 * heals quickly; then full jitter under a ceiling that doubles to one minute, and to five once an hour or so is lost:
 * a thousand sites that lost the same manager must not come back in step.
 */
export function backoffMs(attempt: number, random: () => number): number {
  if (attempt < 3) return between(250, 2_000, random)
  if (attempt < 60) return between(1_000, Math.min(60_000, 4_000 * 2 ** (attempt - 3)), random)
  return between(1_000, 300_000, random)
}

function between(from: number, to: number, random: () => number): number {
  return Math.round(from + (to - from) * random())
}
