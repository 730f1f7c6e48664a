import { access } from 'node:fs/promises'
import { execa } from 'execa'
import { BuildError } from './confine/error.ts'

/** A file that a build starts or reads, and the Debian package that brings it. */
export interface Tool {
  file: string
  package: string
}

/** Debian package -> version of each. Throws BuildError `tools`, naming every package that is missing. */
export async function toolVersions(what: string, tools: readonly Tool[]): Promise<Record<string, string>> {
  const there = await Promise.all(
    tools.map(({ file }) =>
      access(file).then(
        () => true,
        (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? false : Promise.reject(error)),
      ),
    ),
  )
  const missing = [...new Set(tools.filter((_, index) => !there[index]).map((tool) => tool.package))]
  if (missing.length > 0) throw new BuildError('tools', `this machine cannot build ${what}: apt-get install ${missing.join(' ')}`)
  const packages = [...new Set([...tools.map((tool) => tool.package), ...(await compilers(tools))])]
  const { stdout } = await execa('dpkg-query', ['--show', '--showformat', '${Package} ${Version}\\n', '--', ...packages], {
    reject: false, // a package may have another name where its file came otherwise
    stdin: 'ignore',
  })
  const versions = stdout.split('\n').flatMap((line) => {
    const [name, version] = line.split(' ')
    return name && version ? [[name, version] as const] : []
  })
  return Object.fromEntries(versions.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** `gcc` only names the compiler that is Debian's own; what compiles is in gcc-12, gcc-14-aarch64-linux-gnu and the like. */
async function compilers(tools: readonly Tool[]): Promise<string[]> {
  const named = tools.filter((tool) => tool.package === 'gcc' || tool.package.startsWith('gcc-'))
  return Promise.all(
    named.map(async (tool) => {
      const { stdout } = await execa(tool.file, ['-dumpversion'], { stdin: 'ignore' })
      return tool.package.replace('gcc', `gcc-${stdout.trim().split('.')[0]}`)
    }),
  )
}
