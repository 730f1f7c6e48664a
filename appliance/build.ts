import { rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'esbuild'

export type BundleArch = 'x64' | 'arm64'

export interface Bundle {
  /** The file to run: `node {main} --config … --data …`. The native module lies beside it. */
  main: string
  files: { name: string; bytes: number }[]
}

/**
 * Bundles the appliance into `outdir` (emptied first): main.mjs, its source map, and SQLite's native module for `arch`.
 * Nothing else is needed to run it but Node 24.
 */
export async function buildAppliance({ outdir, arch }: { outdir: string; arch: BundleArch }): Promise<Bundle> {
  await rm(outdir, { recursive: true, force: true })
  const result = await build({
    entryPoints: [join(import.meta.dirname, 'main.ts')],
    outfile: join(outdir, 'main.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    keepNames: true, // error classes are told apart in logs by name
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'error',
    legalComments: 'none',
    // The plain entry would search for a native module at run time; this one names it, so that it can be copied.
    alias: { 'better-sqlite3': `better-sqlite3/linux-${arch}` },
    loader: { '.node': 'copy' },
    assetNames: '[name]',
    banner: { js: COMMON_JS },
    plugins: [leaveOut(/^cpu-features$|sshcrypto\.node$/)],
  })
  const names = Object.keys(result.metafile.outputs)
  const files = await Promise.all(names.map(async (name) => ({ name: resolve(name), bytes: (await stat(name)).size })))
  return { main: resolve(outdir, 'main.mjs'), files }
}

/** What CommonJS packages find around them, and an ES module has not: require() for Node's own modules, and where the file lies. */
const COMMON_JS = [
  "import{createRequire as $createRequire}from'node:module'",
  'const require=$createRequire(import.meta.url),__dirname=import.meta.dirname,__filename=import.meta.filename;',
].join(';')

/** Optional native parts of ssh2: it tries them, catches, and goes on in JavaScript and OpenSSL. They would bind us to one compiler. */
function leaveOut(filter: RegExp): Plugin {
  return {
    name: 'leave-out',
    setup(builder) {
      builder.onResolve({ filter }, ({ path }) => ({ path, namespace: 'left-out' }))
      builder.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
        contents: `throw new Error(${JSON.stringify(`${path} is left out of the bundle`)})`,
        loader: 'js',
      }))
    },
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { arch: { type: 'string', default: process.arch }, out: { type: 'string', default: 'dist/appliance' } },
  })
  const { arch, out } = values
  if (arch !== 'x64' && arch !== 'arm64') throw new Error(`--arch: expected x64 or arm64, got "${arch}"`)
  const { files } = await buildAppliance({ outdir: resolve(out), arch })
  for (const { name, bytes } of files) process.stdout.write(`${(bytes / 1024).toFixed(0).padStart(8)} KiB  ${name}\n`)
}
