import { lstat, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** How long before the last sign of life a file may have been begun that was never finished. */
const IN_FLIGHT_MS = 20_000

/**
 * Takes away what a make that was interrupted may have left half done, among all that `tree` has and its source (`template`) has not.
 * `readyMs`: when the tree was last whole, as a file's time; undefined when it never was: then only what was begun shortly before the end
 * goes, so that a long first build need not begin anew.
 */
export async function repair(tree: string, template: string, readyMs: number | undefined): Promise<{ removed: number; kept: number }> {
  const made = await madeIn(tree, template)
  const newest = made.reduce((latest, file) => Math.max(latest, file.modifiedMs), 0)
  const since = readyMs ?? newest - IN_FLIGHT_MS
  const half = await Promise.all(made.map(async (file) => file.modifiedMs >= since || !(await isWhole(file))))
  const gone = made.filter((_, index) => half[index])
  await Promise.all(gone.map(({ path }) => rm(path, { force: true })))
  return { removed: gone.length, kept: made.length - gone.length }
}

interface Made {
  path: string
  modifiedMs: number
  bytes: number
  regular: boolean
}

async function madeIn(directory: string, template: string): Promise<Made[]> {
  const source = new Set(await namesIn(template))
  const entries = await readdir(directory, { withFileTypes: true })
  const found = await Promise.all(
    entries.map(async (entry): Promise<Made[]> => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return madeIn(path, join(template, entry.name))
      if (source.has(entry.name)) return []
      const { mtimeMs, size } = await lstat(path)
      return [{ path, modifiedMs: mtimeMs, bytes: size, regular: entry.isFile() }]
    }),
  )
  return found.flat()
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}

/** Objects must reach as far as their header says; dependency lists and archives of a machine that lost power are often empty. */
async function isWhole({ path, bytes, regular }: Made): Promise<boolean> {
  if (!regular) return false
  if (path.endsWith('.o')) return bytes >= 64 && bytes >= (await elfBytes(path))
  return bytes > 0 || !/\.[da]$/.test(path)
}

/** The end of the section table, which assemblers write last (ELF: e_shoff + e_shnum * e_shentsize, little endian). */
async function elfBytes(path: string): Promise<number> {
  const file = await open(path)
  try {
    const header = Buffer.alloc(64)
    await file.read(header, 0, 64, 0)
    if (header.readUInt32BE(0) !== 0x7f454c46) return Number.POSITIVE_INFINITY
    const wide = header[4] === 2
    const start = wide ? Number(header.readBigUInt64LE(0x28)) : header.readUInt32LE(0x20)
    return start + header.readUInt16LE(wide ? 0x3a : 0x2e) * header.readUInt16LE(wide ? 0x3c : 0x30)
  } finally {
    await file.close()
  }
}
