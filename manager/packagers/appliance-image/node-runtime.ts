import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { z } from 'zod'
import { withWorkDirectory } from '../host-image/work-directory.ts'
import { isThere } from '../media/parts/spec.ts'
import { ApplianceImageError } from './error.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const LockFile = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })),
})
const Package = z.object({ version: z.string() })

export interface NodeRuntime {
  /** `package/bin/node`, `package/LICENSE`. */
  directory: string
  name: string
  version: string
}

/**
 * Node for a board's processor, at the version that package-lock.json names: as it is installed here, else from npm's registry (as this
 * machine's npm reaches it), checked against the lock. Throws ApplianceImageError when it cannot be had.
 */
export async function getNode(
  arch: 'x64' | 'arm64',
  { workDirectory, signal }: { workDirectory: string; signal: AbortSignal },
): Promise<NodeRuntime> {
  const name = `node-linux-${arch}`
  const { packages } = LockFile.parse(JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')))
  const { version, integrity } = packages[`node_modules/${name}`] ?? {}
  if (!version || !integrity) throw new ApplianceImageError(`package-lock.json names no ${name}`)
  const installed = join(ROOT, 'node_modules', name)
  if ((await installedVersion(installed)) === version) return { directory: installed, name, version }

  const directory = join(workDirectory, 'node', `${name}-${version}`)
  if (await isThere(directory)) return { directory, name, version }
  await withWorkDirectory(workDirectory, 'npm', async (work) => {
    const done = await execa('npm', ['pack', '--silent', '--pack-destination', work, `${name}@${version}`], {
      cwd: work,
      stdin: 'ignore',
      cancelSignal: signal,
      reject: false,
    })
    signal.throwIfAborted()
    const file = join(work, `${name}-${version}.tgz`)
    if (done.exitCode !== 0 || !(await isThere(file)))
      throw new ApplianceImageError(`npm cannot fetch ${name}@${version}: ${done.stderr || done.shortMessage}`)
    const sha512 = createHash('sha512')
    await pipeline(createReadStream(file), sha512)
    if (`sha512-${sha512.digest('base64')}` !== integrity)
      throw new ApplianceImageError(`${name}@${version} from npm's registry is not what package-lock.json names`)
    await execa('tar', ['-C', work, '--no-same-owner', '-xzf', file], { cancelSignal: signal })
    await mkdir(join(workDirectory, 'node'), { recursive: true })
    await rename(join(work, 'package'), directory)
  })
  return { directory, name, version }
}

async function installedVersion(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'package.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : Package.parse(JSON.parse(text)).version
}
