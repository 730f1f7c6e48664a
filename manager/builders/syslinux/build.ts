import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { collect } from '../collect.ts'
import { BuildError, type Limits, runConfined } from '../confine/confine.ts'
import type { BuildDeps } from '../deps.ts'
import { countObjects } from '../objects.ts'
import type { SourceRef } from '../sources/source.ts'
import { unpackSource } from '../sources/unpack.ts'
import { withTemporaryDirectory } from '../temporary.ts'
import { type Tool, toolVersions } from '../tools.ts'
import { SYSLINUX_FILES, type SyslinuxFile } from './request.ts'

const LIMITS: Limits = { seconds: 1_800, memoryMiB: 1_024, processes: 512, outputMiB: 512 }
const TOOLS: readonly Tool[] = [
  { file: '/usr/bin/make', package: 'make' },
  { file: '/usr/bin/gcc', package: 'gcc' },
  { file: '/usr/bin/ld', package: 'binutils' },
  { file: '/usr/include/stdio.h', package: 'libc6-dev' },
  { file: '/usr/bin/nasm', package: 'nasm' },
  { file: '/usr/bin/perl', package: 'perl' },
  { file: '/usr/bin/python3', package: 'python3' },
  { file: '/usr/include/uuid/uuid.h', package: 'uuid-dev' },
]

/** That the version of Debian 12 and 13 compiles; counted. */
const OBJECTS = 775

/**
 * SYSLINUX's BIOS loaders and modules, from source: some 50 s of one core for all of them. The date in their banner is the source's, so that
 * the same source gives the same bytes. Throws BuildError.
 */
export async function buildSyslinux(
  request: { targets: readonly SyslinuxFile[] },
  source: SourceRef,
  { bucket, signal, workDirectory, log, progress }: Pick<BuildDeps, 'bucket' | 'signal' | 'workDirectory' | 'log' | 'progress'>,
): Promise<{ outputs: ArtifactRef[]; toolchain: Record<string, string> }> {
  if (process.arch !== 'x64')
    throw new BuildError(
      'tools',
      `SYSLINUX builds on x86_64 machines only, and this one is ${process.arch}; a worker elsewhere can build it`,
    )
  const toolchain = await toolVersions('SYSLINUX', TOOLS)
  return withTemporaryDirectory(workDirectory, 'syslinux', async (directory) => {
    await progress(0, `unpacking SYSLINUX ${source.version}`)
    const { root, epoch } = await unpackSource(source, join(directory, 'tree'), { bucket, signal, workDirectory, log })
    const date = `DATE=${new Date(epoch * 1000).toISOString().slice(0, 10)}`
    const make = ['make', 'bios', 'PYTHON=python3', `HEXDATE=0x${epoch.toString(16).padStart(8, '0')}`, date] as const
    const run = (argv: [string, ...string[]], onLine: (line: string) => void | Promise<void>) =>
      runConfined({
        argv,
        cwd: '/build',
        readOnly: [],
        writable: [{ from: root, to: '/build' }],
        env: { SOURCE_DATE_EPOCH: String(epoch) },
        limits: LIMITS,
        signal,
        onLine,
      })
    const objects = countObjects()
    await run([...make, `-j${availableParallelism()}`], async (line) => {
      await log(line)
      if (objects.see(line))
        await progress(Math.min(0.98, 0.02 + (0.96 * objects.built) / OBJECTS), `${objects.built} of some ${OBJECTS} objects`)
    })
    const outputs = []
    for (const target of request.targets) {
      const stored = await bucket.put(await collect(join(root, 'bios'), SYSLINUX_FILES[target]), { name: target })
      outputs.push({ ...stored, name: target })
    }
    await progress(1, 'done')
    return { outputs, toolchain }
  })
}
