import type { CpuArch } from '@bridgehead/shared/model/state.ts'
import type { Tool } from './tools.ts'

export type CrossPrefix = '' | 'aarch64-linux-gnu-' | 'x86_64-linux-gnu-'

/** How the compiler that makes code for `wanted` begins on a machine of Node's `machine`; empty where the machine's own does. */
export function crossPrefix(wanted: CpuArch, machine: string): CrossPrefix {
  const own = machine === 'arm64' ? 'arm64' : 'x86_64'
  if (own === wanted) return ''
  return wanted === 'arm64' ? 'aarch64-linux-gnu-' : 'x86_64-linux-gnu-'
}

/** Compiler and linker of that prefix, and where Debian has them; none for the machine's own. */
export function crossTools(prefix: CrossPrefix): Tool[] {
  if (prefix === '') return []
  const architecture = prefix.slice(0, -1).replace('_', '-')
  return [
    { file: `/usr/bin/${prefix}gcc`, package: `gcc-${architecture}` },
    { file: `/usr/bin/${prefix}ld`, package: `binutils-${architecture}` },
  ]
}
