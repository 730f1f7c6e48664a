import { chmod, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'esbuild'

export interface Bundle {
  /** The command, one file: needs nothing but Node 22 or newer. */
  file: string
  bytes: number
}

/** Bundles what asks a manager (not `worker`, which is part of an installation) into one executable file. */
export async function buildCli({ outfile }: { outfile: string }): Promise<Bundle> {
  const file = resolve(outfile)
  await build({
    entryPoints: [join(import.meta.dirname, 'client.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'error',
    banner: { js: `#!/usr/bin/env node\n${OLD_NODE}\n${COMMON_JS}` },
    plugins: [zodInParts()],
  })
  await chmod(file, 0o755)
  return { file, bytes: (await stat(file)).size }
}

const OLD_NODE =
  "if(+process.versions.node.split('.')[0]<22){process.stderr.write('bridgehead: needs Node 22 or newer, this is '+process.version+'\\n');process.exit(1)}"
/** commander is CommonJS, and asks for Node's own modules by require(). */
const COMMON_JS = "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);"

/** `import { z }` as `import * as z`: the same, but a bundler sees what of zod is used and leaves the rest out, above all its 50 languages. */
function zodInParts(): Plugin {
  return {
    name: 'zod-in-parts',
    setup(builder) {
      builder.onLoad({ filter: /\/(shared|manager)\/.*\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8')
        return { contents: source.replace("import { z } from 'zod'", "import * as z from 'zod'"), loader: 'ts' }
      })
    },
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist/cli/bridgehead.mjs' } } })
  const { file, bytes } = await buildCli({ outfile: values.out })
  process.stdout.write(`${(bytes / 1024).toFixed(0)} KiB  ${file}\n`)
}
