import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { type Archive, chooseArchive, reachOptions } from './archive.ts'
import { type AptSource, INDEX_FORMAT, type IndexTarget, parseIndexTargets, parseSources } from './sources.ts'

/** What this machine's apt knows, read when asked. */
export interface Apt {
  /** `workDirectory` holds package lists when the machine has none (`apt-get update` never ran, or a container dropped them). */
  archive(options: { suite?: string | undefined; workDirectory: string; signal?: AbortSignal | undefined }): Promise<Archive>
  /** Settings for another apt to reach the same archive. */
  reach(): Promise<string[]>
  /** Changes whenever the machine's sources do; costs no process. */
  fingerprint(): Promise<string>
}

export function machineApt(directory = '/etc/apt'): Apt {
  return {
    async archive({ suite, workDirectory, signal }) {
      const sources = await readSources(directory)
      let targets = await indexTargets([], signal)
      if (!targets.some((target) => target.origin !== undefined)) {
        const lists = join(workDirectory, 'lists')
        await mkdir(join(lists, 'partial'), { recursive: true })
        const own = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${workDirectory}`, '-o', 'Debug::NoLocking=1']
        await execa('apt-get', [...own, 'update'], { stdin: 'ignore', ...(signal ? { cancelSignal: signal } : {}) })
        targets = await indexTargets(own, signal)
      }
      return chooseArchive(targets, sources, suite)
    },
    async reach() {
      return reachOptions((await execa('apt-config', ['dump'])).stdout)
    },
    async fingerprint() {
      return JSON.stringify(await readSources(directory))
    },
  }
}

async function indexTargets(options: readonly string[], signal: AbortSignal | undefined): Promise<IndexTarget[]> {
  const { stdout } = await execa('apt-get', [...options, 'indextargets', '--format', INDEX_FORMAT], {
    stdin: 'ignore',
    ...(signal ? { cancelSignal: signal } : {}),
  })
  return parseIndexTargets(stdout)
}

async function readSources(directory: string): Promise<AptSource[]> {
  const found: AptSource[] = []
  const read = async (file: string) => {
    found.push(...parseSources(file, await readFile(file, 'utf8').catch(missing)))
  }
  await read(join(directory, 'sources.list'))
  const folder = join(directory, 'sources.list.d')
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? [] : Promise.reject(error)))
  for (const name of names.sort()) if (/^[\w.-]+\.(list|sources)$/.test(name)) await read(join(folder, name))
  return found
}

function missing(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}
