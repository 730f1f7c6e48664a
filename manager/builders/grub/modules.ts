import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { z } from 'zod'
import { runConfined } from '../confine/confine.ts'
import type { BuildDeps } from '../deps.ts'
import type { SourceRef } from '../sources/source.ts'
import { withTemporaryDirectory } from '../temporary.ts'
import { toolVersions } from '../tools.ts'
import { createTurns } from '../turns.ts'
import { compileGrub } from './compile.ts'
import { grubTools } from './make-plan.ts'
import type { GrubPlatform } from './request.ts'

type Deps = Pick<BuildDeps, 'bucket' | 'signal' | 'workDirectory' | 'log' | 'progress'>

/** One compiled platform of one source; the document `grub-modules/{hash}.json` of the bucket. */
const Compiled = z.object({ tarball: ArtifactRef, toolchain: z.record(z.string(), z.string()) })
export type Compiled = z.infer<typeof Compiled>

/** Rises when the same source is compiled otherwise. */
const EDITION = 1
const turns = createTurns()

/** From the bucket, or compiled now: once per source and platform, however many ask at once. */
export async function compiledModules(platform: GrubPlatform, source: SourceRef, deps: Deps): Promise<Compiled> {
  const files = source.files.map((file) => file.sha256)
  const identity = JSON.stringify([EDITION, source.version, files, platform, process.arch])
  const key = `grub-modules/${createHash('sha256').update(identity).digest('hex')}.json`
  const find = async () => {
    const known = Compiled.safeParse(await deps.bucket.getDocument(key)).data
    return known && (await deps.bucket.head(known.tarball.sha256)) ? known : undefined
  }
  return (
    (await find()) ??
    turns.take(key, deps.signal, async () => {
      const meanwhile = await find()
      if (meanwhile) return meanwhile
      const toolchain = await toolVersions(`GRUB for ${platform}`, grubTools(platform, process.arch))
      const compiled = { tarball: await compileGrub(platform, source, deps), toolchain }
      await deps.bucket.putDocument(key, compiled)
      return compiled
    })
  )
}

/** The tarball's files in a directory that stays for the next time. */
export async function unpackedModules({ tarball }: Compiled, deps: Deps): Promise<string> {
  const { bucket, signal, workDirectory } = deps
  const place = join(workDirectory, 'grub', tarball.sha256)
  if (await exists(place)) return place
  await mkdir(join(workDirectory, 'grub'), { recursive: true })
  await withTemporaryDirectory(workDirectory, 'modules', async (directory) => {
    const [packed, unpacked] = [join(directory, 'packed'), join(directory, 'unpacked')]
    for (const path of [packed, unpacked]) await mkdir(path)
    await pipeline(await bucket.get(tarball.sha256), createWriteStream(join(packed, 'modules.tar')))
    for (const [path, mode] of [
      [packed, 0o755],
      [join(packed, 'modules.tar'), 0o644],
    ] as const)
      await chmod(path, mode)
    await runConfined({
      argv: ['tar', '--extract', '--no-same-owner', '-f', '/packed/modules.tar'],
      cwd: '/build',
      readOnly: [{ from: packed, to: '/packed' }],
      writable: [{ from: unpacked, to: '/build' }],
      env: {},
      limits: { seconds: 60, memoryMiB: 256, processes: 16, outputMiB: 256 },
      signal,
      onLine: () => undefined,
    })
    await rename(unpacked, place).catch(async (error: NodeJS.ErrnoException) => {
      if (!['ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error // another one was first, with the same bytes
    })
  })
  return place
}

async function exists(path: string): Promise<boolean> {
  return readdir(path).then(
    (names) => names.length > 0,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? false : Promise.reject(error)),
  )
}
