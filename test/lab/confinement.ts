import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BuildError, runConfined } from '@bridgehead/manager/builders/confine/confine.ts'

/**
 * Whether builds can be confined on this machine: they cannot in a plain chroot, nor in most containers. Where not, the reason is printed
 * in the product's own words, and tests that need it are to be skipped.
 */
export async function canConfine(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'bh-confinement-'))
  try {
    await runConfined({
      ...{ argv: ['true'], cwd: '/build', readOnly: [], writable: [{ from: directory, to: '/build' }], env: {}, onLine: () => {} },
      limits: { seconds: 10, memoryMiB: 64, processes: 10, outputMiB: 10 },
      signal: new AbortController().signal,
    })
    return true
  } catch (error) {
    if (!(error instanceof BuildError) || error.reason !== 'tools') throw error
    console.log(`skipped, what needs confined builds: ${error.message}`)
    return false
  } finally {
    await rm(directory, { recursive: true })
  }
}
