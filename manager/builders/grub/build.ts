import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { collect } from '../collect.ts'
import { BuildError, runConfined } from '../confine/confine.ts'
import type { BuildDeps } from '../deps.ts'
import type { SourceRef } from '../sources/source.ts'
import { withTemporaryDirectory } from '../temporary.ts'
import { compiledModules, unpackedModules } from './modules.ts'
import { defaultModules, GRUB_TARGETS, type GrubPlatform, type GrubTarget } from './request.ts'

type Deps = Pick<BuildDeps, 'bucket' | 'signal' | 'workDirectory' | 'log' | 'progress'>

export interface GrubWish {
  targets: readonly GrubTarget[]
  modules?: readonly string[] | undefined
  prefix: string
  config?: string | undefined
}

/** Images with the wished modules and early configuration. Compiles a platform the first time; afterwards it takes under a second. Throws BuildError. */
export async function buildGrub(
  request: GrubWish,
  source: SourceRef,
  deps: Deps,
): Promise<{ outputs: ArtifactRef[]; toolchain: Record<string, string> }> {
  const outputs = []
  const toolchain: Record<string, string> = {}
  const platforms = [...new Set(request.targets.map((target) => GRUB_TARGETS[target].platform))]
  for (const [index, platform] of platforms.entries()) {
    const part = (fraction: number, text: string) =>
      deps.progress((index + fraction) / platforms.length, platforms.length > 1 ? `${platform}: ${text}` : text)
    const compiled = await compiledModules(platform, source, { ...deps, progress: part })
    Object.assign(toolchain, compiled.toolchain)
    const directory = await unpackedModules(compiled, deps)
    await checkModules(platform, source, request.modules ?? [], directory)
    for (const target of request.targets.filter((one) => GRUB_TARGETS[one].platform === platform)) {
      await part(0.99, `making ${target}`)
      const bytes = await makeImage(target, request, directory, deps)
      outputs.push({ ...(await deps.bucket.put(bytes, { name: target })), name: target })
    }
  }
  await deps.progress(1, 'done')
  return { outputs, toolchain }
}

async function checkModules(platform: GrubPlatform, source: SourceRef, wished: readonly string[], directory: string): Promise<void> {
  const known = (await readdir(directory)).filter((name) => name.endsWith('.mod')).map((name) => name.slice(0, -'.mod'.length))
  const unknown = wished.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new BuildError(
      'option',
      `modules: GRUB ${source.version} for ${platform} has no ${unknown.join(', ')}; it has ${known.sort().join(' ')}`,
    )
}

async function makeImage(target: GrubTarget, request: GrubWish, modules: string, { signal, workDirectory, log }: Deps): Promise<Buffer> {
  const { platform, format } = GRUB_TARGETS[target]
  return withTemporaryDirectory(workDirectory, 'image', async (directory) => {
    const [input, output] = [join(directory, 'input'), join(directory, 'output')]
    for (const path of [input, output]) await mkdir(path)
    await writeFile(join(input, 'early.cfg'), request.config ?? '')
    for (const [path, mode] of [
      [input, 0o755],
      [join(input, 'early.cfg'), 0o644],
    ] as const)
      await chmod(path, mode)
    const config = request.config === undefined ? [] : ['--config=/input/early.cfg']
    const options = ['--directory=/modules', `--format=${format}`, `--prefix=${request.prefix}`, ...config, '--output=/build/image']
    await runConfined({
      argv: ['/modules/grub-mkimage', ...options, ...(request.modules ?? defaultModules(platform))],
      cwd: '/build',
      readOnly: [
        { from: modules, to: '/modules' },
        { from: input, to: '/input' },
      ],
      writable: [{ from: output, to: '/build' }],
      env: { SOURCE_DATE_EPOCH: '0' },
      limits: { seconds: 60, memoryMiB: 512, processes: 8, outputMiB: 64 },
      signal,
      onLine: log,
    }).catch((cause: unknown) => {
      // Such as a core image that the BIOS could not load: what was asked for is too much.
      if (!(cause instanceof BuildError) || cause.reason !== 'exit') throw cause
      throw new BuildError('option', `${target} cannot be made: ${cause.message}`, { cause, lines: cause.lines })
    })
    return collect(output, 'image')
  })
}
