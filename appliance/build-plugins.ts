import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { isAbsolute, join } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'

/** Optional native parts of ssh2: it tries them, catches, and goes on in JavaScript and OpenSSL. They would bind us to one compiler. */
export function leaveOut(filter: RegExp): Plugin {
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

/** Classes of a package that nobody makes: whoever does is told. Unlike leaveOut, for what is required by name and not tried. */
export function neverMade(filter: RegExp): Plugin {
  return {
    name: 'never-made',
    setup(builder) {
      builder.onResolve({ filter }, ({ path }) => ({ path, namespace: 'never-made' }))
      builder.onLoad({ filter: /.*/, namespace: 'never-made' }, ({ path }) => ({
        contents: `module.exports=class{constructor(){throw new Error(${JSON.stringify(`${path} is left out of the bundle`)})}}`,
        loader: 'js',
      }))
    },
  }
}

/**
 * Modules of Node that an idle site may never use, or that DHCP and DNS need not wait for. All are plain objects of functions and classes.
 */
const NODE_WHEN_USED = [
  ...['child_process', 'cluster', 'dns', 'dns/promises', 'http', 'http2', 'https', 'net', 'readline', 'tls', 'worker_threads', 'zlib'],
]
/** Asked while modules load, and known: the bundle starts no threads. */
const KNOWN: Readonly<Record<string, string>> = { isMainThread: 'true' }

/**
 * Node's own modules by require(), some of them when the first of their exports is used. An ES import of one reads all of its exports at
 * once, the lazy ones too: `node:http` alone then loads a whole WebSocket client, 14 MiB.
 */
export function nodeModulesByRequire(): Plugin {
  const whenUsed = new Set(NODE_WHEN_USED)
  return {
    name: 'node-modules-by-require',
    setup(builder) {
      builder.onResolve({ filter: new RegExp(`^(node:.*|${NODE_WHEN_USED.join('|')})$`) }, ({ path, kind }) => {
        const name = path.replace(/^node:/, '')
        if (kind !== 'import-statement' && !whenUsed.has(name)) return { path, external: true }
        return { path: name, namespace: 'node-module', sideEffects: false }
      })
      builder.onLoad({ filter: /.*/, namespace: 'node-module' }, ({ path }) => {
        const load = `process.getBuiltinModule(${JSON.stringify(path)})`
        if (!whenUsed.has(path)) return { contents: `module.exports=${load}`, loader: 'js' }
        return { contents: `let it;const load=()=>it??=${load};${lazyExports(process.getBuiltinModule(path) ?? {})}`, loader: 'js' }
      })
    },
  }
}

/** `module.exports` with all names of `exported`, each read from `load()` when somebody asks. */
function lazyExports(exported: object): string {
  const getters = Object.keys(exported).map(
    (name) => `get ${JSON.stringify(name)}(){return ${KNOWN[name] ?? `load()[${JSON.stringify(name)}]`}}`,
  )
  return `module.exports={${getters.join(',')}}`
}

/**
 * Puts each of `packages` into a file of its own beside the bundle (`{package}.cjs`), which is read and run when the first of its exports
 * is used, not before. What uses them stays as it is; only nothing of them may be used while modules load.
 */
export function loadedWhenUsed(packages: readonly string[], { outdir, options }: { outdir: string; options: BuildOptions }): Plugin {
  const filter = new RegExp(`^(${packages.join('|')})$`)
  return {
    name: 'loaded-when-used',
    setup(builder) {
      builder.onResolve({ filter }, ({ path }) => ({ path, namespace: 'when-used' }))
      builder.onLoad({ filter: /.*/, namespace: 'when-used' }, async ({ path }) => {
        const file = join(outdir, `${path}.cjs`)
        await build({ ...options, entryPoints: [path], outfile: file, bundle: true, format: 'cjs' })
        const exported: object = createRequire(import.meta.url)(isAbsolute(file) ? file : join(process.cwd(), file))
        // $require and not require: esbuild would look for the file
        return { contents: `const load=()=>$require(${JSON.stringify(`./${path}.cjs`)});${lazyExports(exported)}`, loader: 'js' }
      })
    },
  }
}

/** Of a package, the one file that is used; the rest of it would load servers and clients that nobody calls. */
export function onlyFile(name: string, file: string, as: string): Plugin {
  return {
    name: `only ${file}`,
    setup(builder) {
      builder.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: name, namespace: 'only-file' }))
      builder.onLoad({ filter: new RegExp(`^${name}$`), namespace: 'only-file' }, () => ({
        contents: `module.exports={${as}:require(${JSON.stringify(file)})}`,
        resolveDir: import.meta.dirname,
        loader: 'js',
      }))
    },
  }
}

/**
 * Our sources, with `import { z }` as `import * as z`: the same, but a bundler sees what of zod is used and leaves the rest out, above all
 * its 50 languages. Letters beyond ASCII are escaped: with one of them, V8 would hold the whole bundle in two bytes a letter.
 */
export function ownSources(): Plugin {
  return {
    name: 'own-sources',
    setup(builder) {
      builder.onLoad({ filter: /\/(shared|appliance)\/.*\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8')
        const contents = source
          .replace(/^#!.*/, '') // the bundle is no program of its own
          .replace("import { z } from 'zod'", "import * as z from 'zod'")
          .replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        return { contents, loader: 'ts' }
      })
    },
  }
}
