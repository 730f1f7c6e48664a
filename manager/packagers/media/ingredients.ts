import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

let known: Promise<string> | undefined

/** Hash of the files that shape media: a new version of them makes new media. Read once in a process. */
export function ingredients(): Promise<string> {
  known ??= read(fileURLToPath(new URL('.', import.meta.url)))
  return known
}

async function read(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
  for (const path of paths.sort())
    if (!/(\.test\.ts|\.md|routes\.ts|links\.ts|jobs\.ts)$/.test(path)) hash.update(`${path}\0`).update(await readFile(join(folder, path)))
  return hash.digest('hex')
}
