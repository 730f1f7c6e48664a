import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machineApt } from '@bridgehead/manager/engines/apt/apt.ts'
import type { Bucket } from '@bridgehead/manager/engines/bucket/bucket.ts'
import { testBucket } from '@bridgehead/manager/engines/bucket/test-bucket.ts'
import type { CompileLoaders } from '@bridgehead/manager/packagers/media/loaders.ts'
import { makeMedia } from '@bridgehead/manager/packagers/media/make.ts'
import { type MediaManifest, MediaRecipe, mediaKey, type NewMediaRecipe } from '@bridgehead/manager/packagers/media/recipe.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'

// Needs the package archive, for an iPXE that reads autoexec.ipxe; makes no machine boot.

const url = 'http://10.0.0.1/start.ipxe'
const outputs = ['iso', 'usb', 'pxe'] as const
let directory: string
let bucket: Bucket
let first: MediaManifest

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-media-'))
  bucket = testBucket(join(directory, 'bucket'), systemClock)
  first = await make({ url, outputs: [...outputs] })
})
afterAll(() => rm(directory, { recursive: true }))

async function make(
  recipe: NewMediaRecipe,
  workDirectory = join(directory, 'work'),
  stop = new AbortController(),
  stopAt = 'never',
  compile?: CompileLoaders,
) {
  const parsed = MediaRecipe.parse(recipe)
  const progress = (_: number, text: string) => {
    if (text.startsWith(stopAt)) stop.abort(new Error('cancelled'))
  }
  return makeMedia(
    { recipe: parsed, target: { kind: 'url', url: parsed.url ?? '' } },
    { bucket, apt: machineApt(), clock: systemClock, progress, log: () => undefined, signal: stop.signal, workDirectory, compile },
  )
}

const pathOf = (manifest: MediaManifest, output: (typeof outputs)[number], name?: string) => {
  const file = (manifest.files[output] ?? []).find((one) => name === undefined || one.name === name)
  return bucket.path?.(file?.sha256 ?? '') ?? ''
}
const said = async (file: string, ...args: string[]) => {
  const { stdout, stderr } = await execa(file, args, { env: { LC_ALL: 'C', MTOOLS_SKIP_CHECK: '1' } })
  return `${stdout}\n${stderr}`
}

test('made again, elsewhere and later, every file is the same byte for byte', async () => {
  await bucket.deleteDocument(mediaKey(first.hash))
  await systemClock.sleep(2_100) // FAT counts time in steps of two seconds
  const again = await make({ url, outputs: [...outputs] }, join(directory, 'elsewhere'))
  expect(again.files).toEqual(first.files)
  expect((await make({ url, outputs: [...outputs] })).seconds, 'found, not made').toEqual(again.seconds)
})

test('the ISO boots BIOS and UEFI, from CD and from a stick', async () => {
  const iso = pathOf(first, 'iso')
  const report = await said('xorriso', '-indev', iso, '-report_el_torito', 'plain', '-report_system_area', 'plain')
  expect(report).toMatch(/El Torito boot img : +1 +BIOS +y +none .* 4 +\d+/)
  expect(report).toMatch(/El Torito boot img : +2 +UEFI +y +none/)
  expect(report).toMatch(/System area summary: MBR isohybrid .*GPT/)
  expect(await said('xorriso', '-indev', iso, '-find', '/', '-type', 'f')).toContain("'/autoexec.ipxe'")
  const efi = join(directory, 'efi.img')
  await said('xorriso', '-osirrox', 'on', '-indev', iso, '-extract', '/boot/efi.img', efi)
  const files = await said('mdir', '-/', '-b', '-i', efi, '::')
  for (const name of ['autoexec.ipxe', 'EFI/BOOT/BOOTX64.EFI', 'EFI/BOOT/BOOTAA64.EFI']) expect(files).toContain(`::/${name}`)
})

test('the stick has a sound GPT, a boot partition for BIOS and one for UEFI, and the script', async () => {
  const image = pathOf(first, 'usb')
  expect(await said('sfdisk', '--verify', image)).toContain('No errors detected')
  const list = await said('fdisk', '-l', image)
  expect(list).toMatch(/Disklabel type: gpt/)
  expect(list).toMatch(/1M BIOS boot/)
  expect(list).toMatch(/16M EFI System/)
  const esp = `${image}@@2M`
  const files = await said('mdir', '-/', '-b', '-i', esp, '::')
  for (const name of ['autoexec.ipxe', 'ipxe.lkrn', 'grub/grub.cfg', 'EFI/BOOT/BOOTX64.EFI', 'EFI/BOOT/BOOTAA64.EFI'])
    expect(files).toContain(`::/${name}`)
  expect(await said('mtype', '-i', esp, '::/autoexec.ipxe')).toContain(first.script.trim())
  const copy = join(directory, 'esp.img')
  await said('dd', `if=${image}`, `of=${copy}`, 'bs=1M', 'skip=2', 'count=16', 'status=none')
  await said('fsck.vfat', '-n', copy) // throws when it finds anything
})

test('the PXE set unpacks to what its map names, and dnsmasq reads its example', async () => {
  const unpacked = join(directory, 'pxe')
  await said('mkdir', unpacked)
  await said('tar', '-xzf', pathOf(first, 'pxe'), '-C', unpacked)
  const list = await said('find', unpacked, '-type', 'f', '-printf', '%f\n')
  for (const { file } of Object.values(first.archMap ?? {})) expect(list.split('\n')).toContain(file)
  for (const { name } of (first.files.pxe ?? []).slice(1)) expect(list.split('\n')).toContain(name)
  const readme = await said('cat', join(unpacked, 'bridgehead-pxe', 'README.md'))
  const config = join(directory, 'dnsmasq.conf')
  await writeFile(
    config,
    (/## dnsmasq[\s\S]*?```\n([\s\S]*?)```/.exec(readme)?.[1] ?? 'none').replace(/^tftp-root=.*$/m, `tftp-root=${unpacked}`),
  )
  expect(await said('dnsmasq', '--test', '-C', config)).toContain('syntax check OK')
})

test('a recipe for one kind of machine leaves the others out', async () => {
  const arm = await make({ url, name: 'arm', outputs: ['iso', 'usb'], architectures: ['arm64'] })
  const report = await said('xorriso', '-indev', pathOf(arm, 'iso'), '-report_el_torito', 'plain')
  expect(report).not.toMatch(/BIOS/)
  expect(report).toMatch(/UEFI/)
  expect(await said('mdir', '-/', '-b', '-i', `${pathOf(arm, 'usb')}@@2M`, '::')).not.toMatch(/X64|lkrn/)
  const bios = await make({ url, name: 'bios', outputs: ['iso', 'usb'], firmware: ['bios'] })
  expect(await said('xorriso', '-indev', pathOf(bios, 'iso'), '-report_el_torito', 'plain')).not.toMatch(/UEFI/)
  expect(await said('mdir', '-/', '-b', '-i', `${pathOf(bios, 'usb')}@@2M`, '::')).not.toMatch(/EFI/)
})

test('with compiled loaders the script is inside them, and no file beside them claims to be it', async () => {
  const asked: string[] = []
  const compile: CompileLoaders = async ({ targets, script }, { progress }) => {
    asked.push(`${targets.join(' ')}: ${script?.split('\n')[0]}`)
    await progress(1, 'built')
    const name = 'loader'
    const made = targets.map(async (target) => [target, { ...(await bucket.put(Buffer.from(target), { name })), name }] as const)
    return new Map(await Promise.all(made))
  }
  const media = await make({ url, name: 'compiled', outputs: [...outputs], autoexec: false }, undefined, undefined, undefined, compile)
  expect(asked.sort()[0]).toBe('bin-arm64-efi/ipxe.efi bin-arm64-efi/snponly.efi: #!ipxe')
  expect(media.ways.map(({ way, script }) => `${way} ${script}`)).toEqual(Array(3).fill('compiled embedded'))
  expect(media.archMap?.[11]?.file).toBe('snponly-arm64.efi')
  expect(await said('xorriso', '-indev', pathOf(media, 'iso'), '-find', '/', '-type', 'f')).not.toContain('autoexec')
  const stick = `${pathOf(media, 'usb')}@@2M`
  expect(await said('mdir', '-/', '-b', '-i', stick, '::')).not.toContain('autoexec')
  expect(await said('mtype', '-i', stick, '::/grub/grub.cfg')).not.toContain('initrd16')
  expect(media.files.pxe?.map(({ name }) => name)).not.toContain('autoexec.ipxe')
  await expect(make({ url, outputs: ['iso'], autoexec: false })).rejects.toThrow('nothing here compiles')
})

test('a cancelled job leaves no manifest and no file in its directory', async () => {
  const work = join(directory, 'cancelled')
  const recipe: NewMediaRecipe = { url, name: 'never', outputs: ['iso', 'usb'] }
  await expect(make(recipe, work, new AbortController(), 'making')).rejects.toThrow('cancelled')
  const { stdout } = await execa('find', [work, '-mindepth', '1', '-name', 'media-*'])
  expect(stdout).toBe('')
})
