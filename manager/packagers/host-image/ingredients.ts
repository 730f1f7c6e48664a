import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

let known: Promise<string> | undefined

/** Hash of the files that shape an image: a new version of them is a new image. Read once in a process. */
export function ingredients(): Promise<string> {
  known ??= read()
  return known
}

async function read(): Promise<string> {
  const hash = createHash('sha256')
  const add = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await add(path)
      else if (!/(\.test\.ts|\.md)$/.test(entry.name)) hash.update(`${entry.name}\0`).update(await readFile(path))
    }
  }
  for (const folder of ['.', '../deploy-initramfs']) await add(fileURLToPath(new URL(folder, import.meta.url)))
  return hash.digest('hex')
}
