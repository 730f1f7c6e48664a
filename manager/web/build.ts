import { createHash } from 'node:crypto'
import { glob, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'

const HERE = dirname(fileURLToPath(import.meta.url))
const ROOT = join(HERE, '../..')
/** What the manager serves. */
export const CONSOLE = join(HERE, 'app/dist')
const STAMP = join(CONSOLE, '.stamp')
const compress = promisify(brotliCompress)

/** Builds the console unless what is built is of these very sources. Returns how long it took, or undefined when nothing was to be done. */
export async function buildConsole(): Promise<number | undefined> {
  const stamp = await sources()
  if ((await readFile(STAMP, 'utf8').catch(() => '')) === stamp) return undefined
  const began = performance.now()
  await rm(CONSOLE, { recursive: true, force: true })
  const { build } = await import('vite')
  await build({ configFile: join(HERE, 'app/vite.config.ts'), logLevel: 'warn' })
  for await (const name of glob('**/*.{js,css,svg}', { cwd: CONSOLE })) await compressed(join(CONSOLE, name))
  await writeFile(STAMP, stamp) // last: a build that was cut off is made again
  return performance.now() - began
}

async function compressed(path: string): Promise<void> {
  const bytes = await readFile(path)
  await writeFile(
    `${path}.br`,
    await compress(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  )
}

/** Hash of all that goes in: the console itself, what is shared, and the packages. */
async function sources(): Promise<string> {
  const hash = createHash('sha256')
  const names: string[] = []
  for await (const name of glob(['manager/web/app/{src,public}/**/*.*', 'manager/web/app/*.*', 'shared/**/*.ts', 'package-lock.json'], {
    cwd: ROOT,
  }))
    names.push(name)
  for (const name of names.sort()) hash.update(`${relative('.', name)}\0`).update(await readFile(join(ROOT, name)))
  return hash.digest('hex')
}
