import { createHash } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { withWorkDirectory } from '../host-image/work-directory.ts'
import { isThere } from '../media/parts/spec.ts'

/** So many versions of a kept directory stay: those of both boards before and after a change. */
const KEPT = 4

/**
 * A directory that `make` fills once for `key`, and that is found again afterwards; whole or not at all. Its path. Readers must not change
 * it. The oldest of the same name are removed.
 */
export async function keptDirectory(
  { workDirectory, name, key }: { workDirectory: string; name: string; key: string },
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const home = join(workDirectory, 'kept')
  const path = join(home, `${name}-${createHash('sha256').update(key).digest('hex').slice(0, 24)}`)
  const now = new Date()
  if (!(await isThere(path)))
    await withWorkDirectory(workDirectory, `make-${name}`, async (work) => {
      const next = join(work, 'next')
      await mkdir(next)
      await make(next)
      await mkdir(home, { recursive: true })
      await rename(next, path).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // somebody else made the same meanwhile
      })
    })
  await utimes(path, now, now)
  await sweep(home, name)
  return path
}

async function sweep(home: string, name: string): Promise<void> {
  const mine = (await readdir(home)).filter((entry) => entry.startsWith(`${name}-`)).map((entry) => join(home, entry))
  const aged = await Promise.all(mine.map(async (path) => ({ path, at: (await stat(path)).mtimeMs })))
  for (const { path } of aged.sort((a, b) => b.at - a.at).slice(KEPT)) await rm(path, { recursive: true, force: true })
}
