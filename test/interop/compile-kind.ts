import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runConfined } from '@bridgehead/manager/builders/confine/confine.ts'
import type { Bucket } from '@bridgehead/manager/engines/bucket/bucket.ts'
import type { JobKind, Jobs } from '@bridgehead/manager/engines/jobs/jobs.ts'
import { withWorkDirectory } from '@bridgehead/manager/packagers/host-image/work-directory.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { z } from 'zod'

/** A job that goes as builds go: confined work for `ms`, then two outputs into the bucket, slowly, and the document that names them last. */
const Compile = z.object({ name: z.string().regex(/^[\w-]+$/), ms: z.int() })
export type Compile = z.infer<typeof Compile>

export const CompileManifest = z.object({ outputs: z.array(z.object({ name: z.string(), sha256: z.string(), bytes: z.int() })) })
export const manifestKey = (name: string) => `compiled/${name}.json`

/** In the command line of every process of a build, so that a test finds those that were left. */
export const marker = (worker: number) => `bridgehead-compile-of-${worker}`

/** What an output is made of: 40 blocks, the same each time. */
export const blocksOf = (name: string, output: string): Buffer[] =>
  Array.from({ length: 40 }, (_, n) => Buffer.alloc(16_384, createHash('sha256').update(`${name} ${output} ${n}`).digest()))

/** With `deps`, a process that does the work; without, one that asks for it. */
export function defineCompile(jobs: Pick<Jobs, 'defineJob'>, deps?: { bucket: Bucket; workDirectory: string }): JobKind<Compile> {
  return jobs.defineJob(
    'compile',
    Compile,
    async ({ name, ms }, { progress, log, signal }) => {
      if (!deps) throw new Error('this process only asks')
      const { bucket, workDirectory } = deps
      if ((await bucket.getDocument(manifestKey(name))) !== undefined) return
      await log(`worker ${process.pid}`)
      await withWorkDirectory(workDirectory, 'compile', async (work) => {
        await mkdir(join(work, 'out'))
        const steps = 10
        await runConfined({
          argv: [
            '/bin/sh',
            '-c',
            `for n in $(seq ${steps}); do sleep ${ms / steps / 1000}; date > out/$n; echo compiled $n; done`,
            marker(process.pid),
          ],
          cwd: '/work',
          readOnly: [],
          writable: [{ from: work, to: '/work' }],
          env: {},
          limits: { seconds: 60, memoryMiB: 512, processes: 50, outputMiB: 10 },
          signal,
          async onLine(line) {
            await log(line)
            await progress(Number(/\d+/.exec(line)?.[0]) / steps, line)
          },
        })
      })
      const outputs = []
      for (const output of ['one.efi', 'two.efi']) {
        signal.throwIfAborted()
        outputs.push({ name: output, ...(await bucket.put(slowly(blocksOf(name, output)), { name: output })) })
      }
      await bucket.putDocument(manifestKey(name), { outputs })
    },
    { queue: 'build' },
  )
}

async function* slowly(blocks: Buffer[]): AsyncIterable<Uint8Array> {
  for (const block of blocks) {
    await systemClock.sleep(5)
    yield block
  }
}
