import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Component } from '@bridgehead/image/sbom.ts'
import { execa } from 'execa'
import { z } from 'zod'
import { ApplianceImageError } from './error.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const SourceMap = z.object({ sources: z.array(z.string()) })
const Package = z.object({ name: z.string(), version: z.string(), license: z.string().optional() })

/** Makes the daemon's bundle in `outdir`. A program of its own: the manager does not import the appliance. Throws ApplianceImageError. */
export async function bundleApp(arch: 'x64' | 'arm64', outdir: string, signal: AbortSignal): Promise<void> {
  const script = join(ROOT, 'appliance/build.ts')
  const done = await execa(process.execPath, ['--disable-warning=ExperimentalWarning', script, '--arch', arch, '--out', outdir], {
    cwd: ROOT,
    stdin: 'ignore',
    cancelSignal: signal,
    reject: false,
  })
  signal.throwIfAborted()
  if (done.exitCode !== 0) throw new ApplianceImageError(`the daemon's bundle cannot be made: ${done.stderr || done.shortMessage}`)
}

/** Steps of the store's schema that this source's daemon knows. Asked of a program of its own, for the manager does not import the appliance. */
export async function dataSchemaOf(signal: AbortSignal): Promise<number> {
  const program = "import { MIGRATIONS } from './appliance/store/migrations.ts'; console.log(MIGRATIONS.length)"
  const argv = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program]
  const { stdout } = await execa(process.execPath, argv, { cwd: ROOT, stdin: 'ignore', cancelSignal: signal })
  return Number(stdout)
}

/** Of all files in a directory, by path and contents; the empty text for none. */
export async function hashOfFiles(directory: string | undefined, skip: RegExp = /(?!)/): Promise<string> {
  if (directory === undefined) return ''
  const hash = createHash('sha256')
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(directory.length))
  for (const path of paths.filter((one) => !skip.test(one)).sort())
    hash
      .update(`${path}\0`)
      .update(await readFile(join(directory, path)))
      .update('\0')
  return hash.digest('hex')
}

/** npm packages that the bundle's source maps name, with the texts of their licences. Without a map: none. */
export async function npmPackagesIn(app: string): Promise<{ component: Component; licence: string }[]> {
  const maps = (await readdir(app)).filter((name) => name.endsWith('.map'))
  const texts = await Promise.all(maps.map((name) => readFile(join(app, name), 'utf8')))
  const names = new Set(['better-sqlite3']) // its native module lies beside the bundle
  for (const source of texts.flatMap((text) => SourceMap.parse(JSON.parse(text)).sources)) {
    const inside = source.split('node_modules/').pop() ?? ''
    const name = /^(@[^/]+\/[^/]+|[^@/][^/]*)\//.exec(inside)?.[1]
    if (source.includes('node_modules/') && name !== undefined) names.add(name)
  }
  return Promise.all(
    [...names].sort().map(async (name) => {
      const folder = join(ROOT, 'node_modules', name)
      const { version, license } = Package.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
      const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry))
      const licence = file === undefined ? `(package.json says: ${license ?? 'nothing'})\n` : await readFile(join(folder, file), 'utf8')
      return { component: { name, version, from: 'npm' as const, licence: license }, licence }
    }),
  )
}
