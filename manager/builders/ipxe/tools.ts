import { crossPrefix, crossTools } from '../cross.ts'
import { type Tool, toolVersions } from '../tools.ts'
import { type IpxePlatform, PLATFORMS } from './request.ts'

/** What a make of this platform starts, and where Debian has it. */
function toolsFor(platform: IpxePlatform, machine: string): Tool[] {
  return [
    { file: '/usr/bin/gcc', package: 'gcc' },
    { file: '/usr/bin/make', package: 'make' },
    { file: '/usr/bin/ld', package: 'binutils' },
    { file: '/usr/bin/perl', package: 'perl' },
    { file: '/usr/bin/openssl', package: 'openssl' },
    { file: '/usr/include/stdio.h', package: 'libc6-dev' },
    { file: '/usr/include/lzma.h', package: 'liblzma-dev' },
    ...crossTools(crossPrefix(PLATFORMS[platform].architecture, machine)),
  ]
}

/** Debian package -> version, of all that a make of this platform uses. Throws BuildError `tools`, naming each package that is missing. */
export async function toolchain(platform: IpxePlatform, machine: string): Promise<Record<string, string>> {
  return toolVersions(`iPXE for ${PLATFORMS[platform].name}`, toolsFor(platform, machine))
}
