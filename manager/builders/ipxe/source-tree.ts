import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildError } from '../confine/error.ts'
import type { Knows } from './headers.ts'

export interface SourceTree {
  directory: string
  /** Whether its configuration has heard of a macro. */
  knows: Knows
  /** Names of all headers that it includes from `config/local/`. */
  localHeaders: string[]
  /** Of its Makefile, in seconds: when the source was made. */
  epoch: number
  /** Files that a platform may compile, at most. */
  sources: number
}

/** What builds need to know of an unpacked source. Throws BuildError `source` when it is none of iPXE's. */
export async function readSourceTree(directory: string): Promise<SourceTree> {
  const config = join(directory, 'src', 'config')
  for (const path of ['src/Makefile', 'src/Makefile.housekeeping', 'src/config/general.h', 'src/config/console.h'])
    if (!(await isFile(join(directory, path)))) throw new BuildError('source', `this is no source of iPXE: it has no ${path}`)
  const names = (await readdir(config, { recursive: true })).filter((name) => /^[^/]+\.[ch]$|^defaults\/[^/]+\.h$/.test(name))
  const texts = await Promise.all(names.map((name) => readFile(join(config, name), 'utf8')))
  const words = new Set(texts.flatMap((text) => text.match(/\b[A-Z][A-Z0-9_]{2,}\b/g) ?? []))
  const files = await readdir(join(directory, 'src'), { recursive: true })
  const { mtimeMs } = await stat(join(directory, 'src', 'Makefile'))
  return {
    directory,
    localHeaders: [
      ...new Set(texts.flatMap((text) => [...text.matchAll(/<config\/local\/(\w+\.h)>/g)].map((found) => found[1] ?? ''))),
    ].sort(),
    epoch: Math.floor(mtimeMs / 1000),
    knows: (macro) => words.has(macro),
    sources: files.filter((name) => /\.[cS]$/.test(name)).length,
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}
