import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@bridgehead/shared/clock.ts'
import { tryLock } from './tree-lock.ts'

const POLL_MS = 200
/** Unpacked sources that nothing was built from for so long go; they can be unpacked again. */
const KEPT_MS = 7 * 86_400_000

export interface TemplateWish {
  directory: string
  name: string
  clock: Clock
  signal: AbortSignal
  /** Unpacks into the given directory, and tells the source's root in it. */
  unpack(directory: string): Promise<string>
}

/** The unpacked source that trees are copied from; unpacked once, by whoever comes first, and then only read. */
export async function withTemplate<T>(wish: TemplateWish, use: (directory: string) => Promise<T>): Promise<T> {
  const { directory, name, clock, signal } = wish
  const place = join(directory, 'sources', name)
  await mkdir(join(directory, 'sources'), { recursive: true })
  await mkdir(join(directory, 'locks'), { recursive: true })
  for (;;) {
    signal.throwIfAborted()
    if (await usedAt(place)) break
    const lock = await tryLock(join(directory, 'locks', `source-${name}`))
    if (!lock) await clock.sleep(POLL_MS, signal)
    else
      try {
        if (!(await usedAt(place))) await fill(place, wish)
      } finally {
        await lock.release()
      }
  }
  const now = clock.now() / 1000
  await utimes(place, now, now) // read by `sweep`
  return use(place)
}

async function fill(place: string, { directory, clock, unpack }: TemplateWish): Promise<void> {
  await sweep(directory, clock.now())
  const half = `${place}.half`
  await rm(half, { recursive: true, force: true })
  await rename(await unpack(half), place)
  await rm(half, { recursive: true, force: true })
}

async function sweep(directory: string, now: number): Promise<void> {
  for (const name of await readdir(join(directory, 'sources'))) {
    const place = join(directory, 'sources', name)
    const at = await usedAt(place)
    if (at !== undefined && at < now - KEPT_MS) await rm(place, { recursive: true, force: true })
  }
}

async function usedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
