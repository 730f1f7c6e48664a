import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { tryLock } from './tree-lock.ts'

const POLL_MS = 200

/** The unpacked source that trees are copied from; unpacked once, by whoever comes first, and then only read. `unpack` tells its root. */
export async function withTemplate<T>(
  what: { directory: string; name: string; clock: Clock; signal: AbortSignal; unpack(directory: string): Promise<string> },
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const { directory, name, clock, signal } = what
  const place = join(directory, 'sources', name)
  await mkdir(join(directory, 'sources'), { recursive: true })
  await mkdir(join(directory, 'locks'), { recursive: true })
  while (!(await exists(place))) {
    signal.throwIfAborted()
    const lock = await tryLock(join(directory, 'locks', `source-${name}`))
    if (!lock) {
      await clock.sleep(POLL_MS, signal)
      continue
    }
    try {
      if (await exists(place)) break
      const half = `${place}.half`
      await rm(half, { recursive: true, force: true })
      await rename(await what.unpack(half), place)
      await rm(half, { recursive: true, force: true })
    } finally {
      await lock.release()
    }
  }
  return use(place)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
