import { expect, test } from 'vitest'
import { crossPrefix, crossTools } from './cross.ts'

for (const { wanted, machine, prefix, packages } of [
  { wanted: 'x86_64', machine: 'x64', prefix: '', packages: [] },
  { wanted: 'arm64', machine: 'x64', prefix: 'aarch64-linux-gnu-', packages: ['gcc-aarch64-linux-gnu', 'binutils-aarch64-linux-gnu'] },
  { wanted: 'arm64', machine: 'arm64', prefix: '', packages: [] },
  { wanted: 'x86_64', machine: 'arm64', prefix: 'x86_64-linux-gnu-', packages: ['gcc-x86-64-linux-gnu', 'binutils-x86-64-linux-gnu'] },
] as const)
  test(`code for ${wanted} is compiled on ${machine} by "${prefix}gcc"`, () => {
    expect(crossPrefix(wanted, machine)).toBe(prefix)
    expect(crossTools(prefix).map((tool) => tool.package)).toEqual(packages)
  })
