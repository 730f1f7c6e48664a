import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Tool, toolVersions } from '../tools.ts'
import { crossPrefix } from './make-plan.ts'
import { type IpxePlatform, PLATFORMS } from './request.ts'

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
  const what = `iPXE for ${PLATFORMS[platform].name}`
  const versions = await toolVersions(what, tools)
  const compilers = await Promise.all(tools.filter(({ file }) => file.endsWith('gcc')).map(({ file }) => compilerPackage(file)))
  return { ...versions, ...(await toolVersions(what, compilers)) }
}

/** `gcc` only points to the compiler: /usr/bin/gcc is x86_64-linux-gnu-gcc-12, of package gcc-12; others are gcc-12-aarch64-linux-gnu. */
async function compilerPackage(file: string): Promise<Tool> {
  const [, prefix = '', number] = /^(?:(.*)-)?gcc-(\d+)$/.exec(basename(await realpath(file))) ?? []
  if (number === undefined) return { file, package: basename(file) }
  return { file, package: file === '/usr/bin/gcc' ? `gcc-${number}` : `gcc-${number}-${prefix.replace('_', '-')}` }
}
