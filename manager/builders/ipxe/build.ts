import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { runConfined } from '../confine/confine.ts'
import { BuildError } from '../confine/error.ts'
import type { BuildDeps } from '../deps.ts'
import type { SourceRef } from '../sources/source.ts'
import { unpackSource } from '../sources/unpack.ts'
import { configHeaders } from './headers.ts'
import { makeIn } from './make.ts'
import { type MakePlan, planMake } from './make-plan.ts'
import type { IpxeOptions } from './options.ts'
import { type IpxePlatform, type IpxeTarget, PLATFORMS, platformOf } from './request.ts'
import { readSourceTree, type SourceTree } from './source-tree.ts'
import { withTemplate } from './template.ts'
import { toolchain } from './tools.ts'
import { withTree } from './trees.ts'

export interface IpxeBuildDeps extends Pick<BuildDeps, 'bucket' | 'clock' | 'log' | 'progress' | 'signal' | 'workDirectory'> {
  /** All warm trees together, in `ipxe/` of the work directory. */
  treeBytes?: number
}

export interface IpxeBuild {
  /** Named by their targets, in the order of the request. */
  outputs: ArtifactRef[]
  /** Debian package -> version. */
  toolchain: Record<string, string>
  /** By platform: how the tree began (`warm`, `cold` ...) and how long its make took. */
  makes: { platform: IpxePlatform; began: string; seconds: number }[]
}

const TREE_BYTES = 6 * 1024 ** 3
const MOST_COPIES = 4

/**
 * Compiles a request's targets, one platform after another, and puts them into the bucket. Throws BuildError: `option` for what this source
 * cannot do, `source` for what is no source, `tools` for missing packages, `exit` with the compiler's first error.
 */
export async function buildIpxe(
  request: { targets: readonly IpxeTarget[]; options: IpxeOptions; script?: string | undefined },
  source: SourceRef,
  deps: IpxeBuildDeps,
): Promise<IpxeBuild> {
  const directory = join(deps.workDirectory, 'ipxe')
  const platforms = [...new Set(request.targets.map(platformOf))]
  const unpack = async (to: string) => (await unpackSource(source, to, deps)).root
  const tools = await Promise.all(platforms.map((platform) => toolchain(platform, process.arch)))
  return withTemplate(
    { directory, name: digest(source.files.map((file) => file.sha256)), signal: deps.signal, clock: deps.clock, unpack },
    async (template) => {
      const tree = await readSourceTree(template)
      const plans = platforms.map((platform, index) => plan(platform, { request, source, tree, tools: tools[index] ?? {} }))
      const built: IpxeBuild = { outputs: [], toolchain: Object.assign({}, ...tools), makes: [] }
      for (const [index, one] of plans.entries()) {
        const part = (fraction: number) => (index + fraction) / plans.length
        const { outputs, began, seconds } = await buildPlatform(one, {
          ...deps,
          directory,
          progress: (fraction, text) => deps.progress(part(fraction), plans.length > 1 ? `${PLATFORMS[one.platform].name}: ${text}` : text),
        })
        built.outputs.push(...outputs)
        built.makes.push({ platform: one.platform, began, seconds })
      }
      return built
    },
  )
}

interface PlatformPlan {
  platform: IpxePlatform
  targets: IpxeTarget[]
  make: MakePlan
  headers: Record<string, string>
  script: string | undefined
  source: SourceTree
  base: string
  key: string
}

function plan(
  platform: IpxePlatform,
  {
    request,
    source,
    tree,
    tools,
  }: {
    request: { targets: readonly IpxeTarget[]; options: IpxeOptions; script?: string | undefined }
    source: SourceRef
    tree: SourceTree
    tools: Record<string, string>
  },
): PlatformPlan {
  const { files, problems } = configHeaders(request.options, PLATFORMS[platform], tree.knows)
  // make would write the missing ones itself, in the middle of reading what depends on them
  const headers = { ...Object.fromEntries(tree.localHeaders.map((name) => [name, ''])), ...files }
  if (problems.length > 0)
    throw new BuildError('option', `iPXE ${source.version} for ${PLATFORMS[platform].name} cannot be built so: ${problems.join('; ')}`)
  const targets = request.targets.filter((target) => platformOf(target) === platform)
  const make = planMake({
    platform,
    targets,
    options: request.options,
    script: request.script,
    version: source.version,
    epoch: tree.epoch,
    machine: process.arch,
    jobs: availableParallelism(),
  })
  const base = digest([source.files.map((file) => file.sha256), source.version, platform, tools])
  const key = digest([base, headers, Object.keys(make.input).filter((name) => name.endsWith('.pem'))])
  return { platform, targets, make, headers, script: request.script, source: tree, base, key }
}

async function buildPlatform(one: PlatformPlan, deps: IpxeBuildDeps & { directory: string }) {
  const { directory, clock, signal, bucket, treeBytes = TREE_BYTES } = deps
  const wish = { key: one.key, base: one.base, template: one.source.directory }
  const limits = { directory, clock, signal, copies: Math.min(availableParallelism(), MOST_COPIES), limitBytes: treeBytes }
  await deps.progress(0, 'waiting for a tree')
  return withTree(wish, limits, async (tree) => {
    const made = await makeIn(
      tree,
      { ...one, sources: one.source.sources, epoch: one.source.epoch },
      { run: runConfined, log: deps.log, progress: deps.progress, signal },
    )
    const outputs = []
    for (const { target, bytes } of made.files) {
      outputs.push({ ...(await bucket.put(bytes, { name: target })), name: target })
    }
    await deps.progress(1, 'done')
    return { objects: made.objects, outputs, began: tree.began, seconds: made.seconds }
  })
}

const digest = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 24)
