import { copyFile, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type BuildOptions, build } from 'esbuild'
import { leaveOut, loadedWhenUsed, neverMade, nodeModulesByRequire, onlyFile, ownSources } from './build-plugins.ts'

export type BundleArch = 'x64' | 'arm64'

export interface Bundle {
  /** The file to run: `node {flags} {main} --config … --data …`, with flags and environment of `node-options`. The rest lies beside it. */
  main: string
  files: { name: string; bytes: number }[]
}

/**
 * Bundles the appliance into `outdir` (emptied first): main.mjs, what is loaded when it is used (*.cjs), their source maps, SQLite's native
 * module for `arch`, and how Node shall run it (node-options).
 * Nothing else is needed to run it but Node 24.
 */
export async function buildAppliance({ outdir, arch }: { outdir: string; arch: BundleArch }): Promise<Bundle> {
  await rm(outdir, { recursive: true, force: true })
  await build({
    ...OPTIONS,
    entryPoints: [join(import.meta.dirname, 'main.ts')],
    outfile: join(outdir, 'main.mjs'),
    bundle: true,
    format: 'esm',
    // The plain entry would search for a native module at run time; this one names it, so that it can be copied.
    alias: { 'better-sqlite3': `better-sqlite3/linux-${arch}` },
    loader: { '.node': 'copy' },
    assetNames: '[name]',
    banner: { js: COMMON_JS },
    plugins: [
      loadedWhenUsed(WHEN_USED, { outdir, options: OPTIONS }),
      onlyFile('dns2', join(dirname(fileURLToPath(import.meta.resolve('dns2/package.json'))), 'packet.js'), 'Packet'),
      neverMade(/^sonic-boom$|^thread-stream$/), // pino's files and threads: our logger is given a stream
      nodeModulesByRequire(),
      ownSources(),
    ],
  })
  await copyFile(join(import.meta.dirname, 'node-options'), join(outdir, 'node-options'))
  const names = (await readdir(outdir)).sort()
  const files = await Promise.all(
    names.map(async (name) => ({ name: resolve(outdir, name), bytes: (await stat(join(outdir, name))).size })),
  )
  return { main: resolve(outdir, 'main.mjs'), files }
}

const OPTIONS: BuildOptions = {
  platform: 'node',
  target: 'node24',
  sourcemap: 'linked',
  // Names stay whole: logs and stacks tell by them what happened. To restore short ones at run time (keepNames) takes 2.8 MiB.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'error',
  legalComments: 'none',
  plugins: [nodeModulesByRequire(), leaveOut(/^cpu-features$|sshcrypto\.node$/)],
}

/** What an idle site never calls (SSH to its hosts, templates, offline bundles), and what is not needed to answer DHCP. */
const WHEN_USED = ['ssh2', 'liquidjs', 'tar-stream', 'ioredis', 'uqr']

/**
 * What CommonJS packages find around them, and an ES module has not: require() for Node's own modules, and where the file lies. Without `import`
 * and `import.meta`: the same file is run as a module, and read as a script when a snapshot is made of it.
 */
const COMMON_JS = [
  "'use strict';var __filename=process.argv[1],__dirname=process.getBuiltinModule('path').dirname(__filename)",
  "var $require=(name)=>process.getBuiltinModule(name)??process.getBuiltinModule('module').createRequire(__filename)(name),require=$require;",
].join(';')

if (import.meta.main) {
  const { values } = parseArgs({
    options: { arch: { type: 'string', default: process.arch }, out: { type: 'string', default: 'dist/appliance' } },
  })
  const { arch, out } = values
  if (arch !== 'x64' && arch !== 'arm64') throw new Error(`--arch: expected x64 or arm64, got "${arch}"`)
  const { files } = await buildAppliance({ outdir: resolve(out), arch })
  for (const { name, bytes } of files) process.stdout.write(`${(bytes / 1024).toFixed(0).padStart(8)} KiB  ${name}\n`)
}
