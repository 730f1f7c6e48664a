import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import type { Bucket } from '../engines/bucket/bucket.ts'
import { BuildError } from './confine/error.ts'
import type { BuildDeps, BuilderSources } from './deps.ts'
import { buildGrub } from './grub/build.ts'
import { buildIpxe } from './ipxe/build.ts'
import { BuildManifest, type BuildPlan, type BuildRequest, buildHash, buildKey } from './model.ts'
import { pinSources } from './sources/directory.ts'
import { resolveSource } from './sources/resolve.ts'
import type { SourceRef } from './sources/source.ts'
import { buildSyslinux } from './syslinux/build.ts'
import { createTurns } from './turns.ts'

export type { BuildDeps } from './deps.ts'

/** Where source is looked for unless settings or a request say otherwise. */
export const DEBIAN_SOURCES: BuilderSources = {
  ipxe: [{ kind: 'debian', package: 'ipxe' }],
  grub: [{ kind: 'debian', package: 'grub2' }],
  syslinux: [{ kind: 'debian', package: 'syslinux' }],
}

/** The log of the last try; the document `build-logs/{hash}.json` of the bucket. */
export const BuildLog = z.object({ log: ArtifactRef, finishedAt: z.int(), error: z.string().optional() })
export const buildLogKey = (hash: string) => `build-logs/${hash}.json`

const MOST_LOG_BYTES = 16 * 1_048_576
const turns = createTurns()
const compress = promisify(gzip)

/** A request with its name, and with sources that any worker can have: directories of this machine go into the bucket. */
export async function planBuild(request: BuildRequest, deps: Pick<BuildDeps, 'bucket' | 'sources'>): Promise<BuildPlan> {
  const missing: string[] = []
  const wished = request.source ? [request.source] : deps.sources[request.builder]
  const sources = await pinSources(wished, { bucket: deps.bucket, missing: (message) => void missing.push(message) })
  return { hash: buildHash(request, sources), request, sources, missing }
}

/** The manifest, when all that it names is still in the bucket. */
export async function findBuild(bucket: Bucket, hash: string): Promise<BuildManifest | undefined> {
  const found = BuildManifest.safeParse(await bucket.getDocument(buildKey(hash))).data
  for (const output of found?.outputs ?? []) if (!(await bucket.head(output.sha256))) return undefined
  return found
}

/**
 * What a request makes: from the bucket when it is there, else built now. The manifest is written last, so that an interrupted build leaves
 * nothing but unnamed bytes. Throws BuildError (its message is the compiler's first error), or the signal's reason.
 */
export async function build(request: BuildRequest, deps: BuildDeps): Promise<BuildManifest> {
  return runBuild(await planBuild(request, deps), deps)
}

/** The same for a plan that was made elsewhere. */
export async function runBuild(plan: BuildPlan, deps: BuildDeps): Promise<BuildManifest> {
  const { bucket, signal } = deps
  return (
    (await findBuild(bucket, plan.hash)) ??
    turns.take(plan.hash, signal, async () => (await findBuild(bucket, plan.hash)) ?? (await makeBuild(plan, deps)))
  )
}

async function makeBuild({ hash, request, sources, missing }: BuildPlan, deps: BuildDeps): Promise<BuildManifest> {
  const { bucket, clock, signal } = deps
  const startedAt = clock.now()
  const text = createText()
  const logged: BuildDeps = {
    ...deps,
    log: async (line) => {
      text.add(line)
      await deps.log(line)
    },
  }
  try {
    signal.throwIfAborted()
    await deps.progress(0, `looking for the source of ${request.builder}`)
    const source = await resolveSource(sources, logged, missing)
    const { outputs, toolchain } = await dispatch(request, source, logged)
    const finishedAt = clock.now()
    const manifest: BuildManifest = {
      kind: 'build',
      hash,
      request,
      source,
      outputs,
      toolchain,
      startedAt,
      finishedAt,
      seconds: (finishedAt - startedAt) / 1000,
    }
    await keepLog(hash, text.lines(), deps)
    await bucket.putDocument(buildKey(hash), manifest)
    return manifest
  } catch (error) {
    await keepLog(hash, text.lines(), deps, error).catch((cause) => deps.log(`the log could not be kept: ${String(cause)}`))
    signal.throwIfAborted() // what a killed compiler says is not the reason
    throw error
  }
}

function dispatch(request: BuildRequest, source: SourceRef, deps: BuildDeps) {
  switch (request.builder) {
    case 'ipxe':
      return buildIpxe(request, source, deps)
    case 'grub':
      return buildGrub(request, source, deps)
    case 'syslinux':
      return buildSyslinux(request, source, deps)
  }
}

/** Whole, up to a size at which nobody reads on. */
function createText() {
  const lines: string[] = []
  let bytes = 0
  return {
    lines: () => lines,
    add(line: string) {
      bytes += line.length + 1
      if (bytes <= MOST_LOG_BYTES) lines.push(line)
    },
  }
}

async function keepLog(hash: string, lines: readonly string[], { bucket, clock }: BuildDeps, error?: unknown): Promise<void> {
  const name = 'build.log.gz'
  const said = error === undefined ? [] : [`failed: ${error instanceof Error ? error.message : String(error)}`]
  const body = await compress(`${[...lines, ...said].join('\n')}\n`)
  const log = { ...(await bucket.put(body, { name })), name }
  const failed = error === undefined ? {} : { error: error instanceof BuildError ? error.message : 'the build failed' }
  await bucket.putDocument(buildLogKey(hash), { log, finishedAt: clock.now(), ...failed } satisfies z.infer<typeof BuildLog>)
}
