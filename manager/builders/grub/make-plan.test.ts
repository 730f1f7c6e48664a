import { expect, test } from 'vitest'
import { grubMake, grubTools } from './make-plan.ts'
import { defaultModules } from './request.ts'

test('a foreign platform is configured with the tools for it', () => {
  const configure = grubMake('arm64-efi', 'x64', 2).prepare[1]?.script
  expect(configure).toContain('--with-platform=efi --target=aarch64')
  expect(configure).toContain('TARGET_CC=aarch64-linux-gnu-gcc TARGET_OBJCOPY=aarch64-linux-gnu-objcopy')
  expect(grubMake('i386-pc', 'x64', 2).prepare[1]?.script).not.toContain('TARGET_')
})

test('the tarball has neither times nor owners of its own', () => {
  expect(grubMake('i386-pc', 'x64', 2).pack(1_600_000_000)).toContain('--sort=name --mtime=@1600000000 --owner=0 --group=0')
})

test('cross tools are asked of the package that has them', () => {
  const packages = grubTools('arm64-efi', 'x64').map((tool) => tool.package)
  expect(packages).toEqual(expect.arrayContaining(['gcc-aarch64-linux-gnu', 'binutils-aarch64-linux-gnu', 'autopoint']))
})

test('the network card of UEFI is no module for BIOS', () => {
  expect(defaultModules('i386-pc')).not.toContain('efinet')
  expect(defaultModules('x86_64-efi')).toEqual(expect.arrayContaining(['efinet', 'http', 'tftp', 'normal']))
})
