import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { buildIpxe } from '../../manager/builders/ipxe/build.ts'
import { IpxeOptions } from '../../manager/builders/ipxe/options.ts'
import { findIpxeSource, ipxeDeps } from '../lab/ipxe-source.ts'
import { type BenchRow, median, row } from './harness.ts'

const TARGET = 'bin/undionly.kpxe'
const ROUNDS = 5

/**
 * `ipxe.cold`: a whole build (sandbox, copy of the source, bucket) in an empty work directory, against `make` alone in a fresh copy of the
 * same source with the same configuration. `ipxe.rebuild`: the same with another script, against `make` alone in the same warm tree, in
 * turn. Both with as many jobs as there are processors.
 */
export async function benchIpxe({ json }: { json: boolean }): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bridgehead-bench-ipxe-'))
  const say = (text: string) => json || process.stderr.write(`${text}\n`)
  try {
    const deps = ipxeDeps(directory)
    const found = await findIpxeSource(deps)
    if ('why' in found) {
      process.stderr.write(`ipxe.rebuild, ipxe.cold: not measured, because there is no source of iPXE: ${found.why}\n`)
      return []
    }
    const ours = (script: string) =>
      seconds(() =>
        buildIpxe({ targets: [TARGET], options: IpxeOptions.parse({}), script: `#!ipxe\necho ${script}\n` }, found.source, deps),
      )
    const cold = await ours('cold')
    const warm = await onlyTree(join(deps.workDirectory, 'ipxe', 'trees'))
    const [template] = await readdir(join(deps.workDirectory, 'ipxe', 'sources'))
    const fresh = join(directory, 'fresh')
    await cp(join(deps.workDirectory, 'ipxe', 'sources', template ?? ''), fresh, { recursive: true, preserveTimestamps: true })
    await cp(join(warm, 'src', 'config', 'local'), join(fresh, 'src', 'config', 'local'), { recursive: true })
    const bareCold = await bare(fresh, directory, 'cold')
    say(`cold: ours ${cold.toFixed(1)} s, make ${bareCold.toFixed(1)} s`)

    const times: { ours: number[]; make: number[] } = { ours: [], make: [] }
    for (let round = 0; round < ROUNDS; round++) {
      times.make.push(await bare(warm, directory, `bare ${round}`))
      times.ours.push(await ours(`round ${round}`))
      say(`script ${round + 1}: ours ${times.ours.at(-1)?.toFixed(2)} s, make ${times.make.at(-1)?.toFixed(2)} s`)
    }
    return [
      row('ipxe.rebuild', 'make', 's', median(times.ours), median(times.make), { better: 'less' }),
      row('ipxe.cold', 'make', 's', cold, bareCold, { better: 'less' }),
    ]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function onlyTree(directory: string): Promise<string> {
  const names = await readdir(directory)
  if (names.length !== 1) throw new Error(`expected one warm tree, found ${names.join(' ') || 'none'}`)
  return join(directory, names[0] ?? '', 'tree')
}

/** What somebody types who has the tree before him. */
async function bare(tree: string, directory: string, script: string): Promise<number> {
  const file = join(directory, 'bare.ipxe')
  await writeFile(file, `#!ipxe\necho ${script}\n`)
  const argv = [`-j${availableParallelism()}`, TARGET, `EMBED=${file}`, 'NO_WERROR=1']
  return seconds(() => execa('make', argv, { cwd: join(tree, 'src'), stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }))
}

async function seconds(task: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await task()
  return (performance.now() - began) / 1000
}
