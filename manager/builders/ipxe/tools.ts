import { access, realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { execa } from 'execa'
import { BuildError } from '../confine/error.ts'
import { crossPrefix } from './make-plan.ts'
import type { IpxePlatform } from './request.ts'

interface Tool {
  file: string
  package: string
}

/** What a make of this platform starts, and where Debian has it. */
function toolsFor(platform: IpxePlatform, machine: string): Tool[] {
  const cross = crossPrefix(platform, machine)
  const architecture = cross.slice(0, -1).replace('_', '-')
  return [
    { file: '/usr/bin/gcc', package: 'gcc' },
    { file: '/usr/bin/make', package: 'make' },
    { file: '/usr/bin/ld', package: 'binutils' },
    { file: '/usr/bin/perl', package: 'perl' },
    { file: '/usr/bin/openssl', package: 'openssl' },
    { file: '/usr/include/stdio.h', package: 'libc6-dev' },
    { file: '/usr/include/lzma.h', package: 'liblzma-dev' },
    ...(cross
      ? [
          { file: `/usr/bin/${cross}gcc`, package: `gcc-${architecture}` },
          { file: `/usr/bin/${cross}ld`, package: `binutils-${architecture}` },
        ]
      : []),
  ]
}

/** Debian package -> version, of all that a make of this platform uses. Throws BuildError `tools`, naming each package that is missing. */
export async function toolchain(platform: IpxePlatform, machine: string): Promise<Record<string, string>> {
  const tools = toolsFor(platform, machine)
  const there = await Promise.all(tools.map(({ file }) => access(file).then(() => true, isMissing)))
  const missing = tools.filter((_, index) => !there[index]).map((tool) => tool.package)
  if (missing.length > 0)
    throw new BuildError('tools', `this machine cannot build iPXE for ${platform}: apt-get install ${[...new Set(missing)].join(' ')}`)
  const compilers = await Promise.all(tools.filter(({ file }) => file.endsWith('gcc')).map(({ file }) => compilerPackage(file)))
  const packages = [...new Set([...tools.map((tool) => tool.package), ...compilers])].sort()
  const { stdout } = await execa('dpkg-query', ['--show', '--showformat', '${Package} ${Version}\n', '--', ...packages], {
    reject: false, // on a machine whose tools came otherwise, versions stay unknown
    stdin: 'ignore',
  })
  const lines = (stdout ?? '').split('\n').filter(Boolean)
  return Object.fromEntries(lines.map((line) => line.split(' ', 2) as [string, string]))
}

/** `gcc` only points to the compiler: /usr/bin/gcc is x86_64-linux-gnu-gcc-12, of package gcc-12; others are gcc-12-aarch64-linux-gnu. */
async function compilerPackage(file: string): Promise<string> {
  const [, prefix = '', number] = /^(?:(.*)-)?gcc-(\d+)$/.exec(basename(await realpath(file))) ?? []
  if (number === undefined) return basename(file)
  return file === '/usr/bin/gcc' ? `gcc-${number}` : `gcc-${number}-${prefix.replace('_', '-')}`
}

function isMissing(error: NodeJS.ErrnoException): boolean {
  if (error.code === 'ENOENT') return false
  throw error
}
