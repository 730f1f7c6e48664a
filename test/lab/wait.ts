/** Something awaited did not come in time. */
export class WaitError extends Error {
  readonly code = 'wait'
}

/** Asks `look` every `everyMs` until it gives a value. Throws WaitError after `ms`, naming what was awaited. */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  { ms = 30_000, everyMs = 100, details }: { ms?: number; everyMs?: number; details?: () => string } = {},
): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > deadline)
      throw new WaitError(`waited ${Math.round(ms / 1000)} s in vain for ${what}${details ? `; ${details()}` : ''}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
