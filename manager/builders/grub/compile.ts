import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { ArtifactRef } from '@bridgehead/shared/model/state.ts'
import { collect } from '../collect.ts'
import { type Binding, type Limits, runConfined } from '../confine/confine.ts'
import type { BuildDeps } from '../deps.ts'
import { countObjects } from '../objects.ts'
import { artifactName, type SourceRef } from '../sources/source.ts'
import { unpackSource } from '../sources/unpack.ts'
import { withTemporaryDirectory } from '../temporary.ts'
import { grubMake } from './make-plan.ts'
import type { GrubPlatform } from './request.ts'

const LIMITS: Limits = { seconds: 3_600, memoryMiB: 2_048, processes: 512, outputMiB: 1_536 }

/**
 * GRUB's modules for one platform, and grub-mkimage of the same version (linked statically, so that it runs in any sandbox), as one tarball
 * in the bucket. Some two minutes of one core; byte-identical on repetition with the same compiler. Throws BuildError.
 */
export async function compileGrub(
  platform: GrubPlatform,
  source: SourceRef,
  { bucket, signal, workDirectory, log, progress }: Pick<BuildDeps, 'bucket' | 'signal' | 'workDirectory' | 'log' | 'progress'>,
): Promise<ArtifactRef> {
  return withTemporaryDirectory(workDirectory, 'grub', async (directory) => {
    await progress(0, `unpacking GRUB ${source.version}`)
    const { root, epoch } = await unpackSource(source, join(directory, 'tree'), { bucket, signal, workDirectory, log })
    const build: Binding = { from: root, to: '/build' }
    const plan = grubMake(platform, process.arch, availableParallelism())
    const env = { ...plan.env, SOURCE_DATE_EPOCH: String(epoch) }
    const run = (script: string, onLine: (line: string) => void | Promise<void>) =>
      runConfined({
        argv: ['sh', '-exc', script],
        cwd: build.to,
        readOnly: [],
        writable: [build],
        env,
        limits: LIMITS,
        signal,
        onLine,
      })
    const tell = async (line: string) => log(line)
    for (const step of plan.prepare) {
      await progress(step.fraction, step.text)
      await run(step.script, tell)
    }
    // A dry run names what there is to build; where it stumbles over files that are made on the way, it still names the rest.
    const known = countObjects()
    await run(plan.dryRun, (line) => void known.see(line))
    const objects = countObjects()
    await run(plan.make, async (line) => {
      await log(line)
      if (!objects.see(line)) return
      const total = Math.max(known.built, objects.built)
      await progress(plan.makeFrom + (0.98 - plan.makeFrom) * (objects.built / total), `${objects.built} of ${total} objects`)
    })
    await run(plan.pack(epoch), tell)
    const name = artifactName(`grub-${source.version}-${platform}.tar`)
    const stored = await bucket.put(await collect(root, 'modules.tar'), { name })
    return { ...stored, name }
  })
}
