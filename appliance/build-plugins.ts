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

/**
 * Node's own modules by require(). An ES import of one reads all of its exports at once, the lazy ones too: `node:http` alone then loads
 * a whole WebSocket client, 14 MiB.
 */
export function nodeModulesByRequire(): Plugin {
  return {
    name: 'node-modules-by-require',
    setup(builder) {
      builder.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
        kind === 'import-statement' ? { path, namespace: 'node-module', sideEffects: false } : { path, external: true },
      )
      builder.onLoad({ filter: /.*/, namespace: 'node-module' }, ({ path }) => ({
        contents: `module.exports=process.getBuiltinModule(${JSON.stringify(path)})`,
        loader: 'js',
      }))
    },
  }
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
        const getters = Object.keys(exported).map((name) => `get ${JSON.stringify(name)}(){return load()[${JSON.stringify(name)}]}`)
        // $require and not require: esbuild would look for the file
        return {
          contents: `const load=()=>$require(${JSON.stringify(`./${path}.cjs`)});module.exports={${getters.join(',')}}`,
          loader: 'js',
        }
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
