import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testBucket } from '@bridgehead/manager/engines/bucket/test-bucket.ts'
import type { LoaderFile } from '@bridgehead/manager/packagers/media/maker.ts'
import type { LocalPart } from '@bridgehead/manager/packagers/media/parts/parts.ts'
import { PI_PARTS } from '@bridgehead/manager/packagers/media/parts/pi.ts'
import type { PartSpec } from '@bridgehead/manager/packagers/media/parts/spec.ts'
import { makePi } from '@bridgehead/manager/packagers/media/pi.ts'
import { MediaRecipe } from '@bridgehead/manager/packagers/media/recipe.ts'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-pi-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const ref = (name: string) => ({ sha256: '0'.repeat(64), bytes: 1, name })

/** Stand-ins of the sizes that Debian's files have; only U-Boot and the boards would know the difference. */
async function standIns(): Promise<{ part(name: string): Promise<LocalPart>; loader: LoaderFile }> {
  const parts = join(directory, 'parts')
  await mkdir(parts, { recursive: true })
  for (const { files } of Object.values(PI_PARTS))
    for (const file of Object.keys(files))
      await writeFile(join(parts, file), Buffer.alloc(file.endsWith('.elf') ? 3_000_000 : 30_000, file))
  const program = Buffer.alloc(1_000_000, 7)
  program.write('MZ')
  program.writeUInt32LE(0x40, 0x3c)
  program.write('PE\0\0', 0x40)
  program.set([0x64, 0xaa, 1, 0], 0x44)
  program.writeUInt16LE(0, 0x54)
  program.write('.text\0\0\0', 0x58)
  program.writeUInt32LE(0x1000, 0x58 + 16)
  program.writeUInt32LE(0x200, 0x58 + 20)
  await writeFile(join(parts, 'ipxe.efi'), program)
  return {
    loader: { path: join(parts, 'ipxe.efi'), ref: ref('ipxe.efi'), embedded: false },
    async part(name) {
      const spec: PartSpec | undefined = Object.values(PI_PARTS).find((one) => one.name === name)
      if (!spec) throw new RangeError(name)
      const files = Object.fromEntries(Object.keys(spec.files).map((file) => [file, ref(file)]))
      return {
        part: { name, package: spec.package, version: '1', from: 'test', files },
        ref,
        path: (file) => join(parts, file),
      }
    },
  }
}

const SCRIPT = '#!ipxe\necho hello\n'

async function make(): Promise<{ path: string; seconds: number }> {
  const { part, loader } = await standIns()
  const workDirectory = await mkdtemp(join(directory, 'work-'))
  const bucket = testBucket(join(directory, 'bucket'))
  const began = performance.now()
  const [made] = await makePi({
    ...{ hash: '0', name: 'lab', recipe: MediaRecipe.parse({ script: SCRIPT, outputs: ['pi'] }), script: SCRIPT },
    ...{ target: { kind: 'script', text: SCRIPT }, loaders: new Map([['bin-arm64-efi/ipxe.efi', loader]]), part, bucket },
    ...{ uuid: () => '1234abcd-0000-8000-8000-000000000000', workDirectory, signal: AbortSignal.timeout(60_000) },
  })
  if (!made || !('path' in made)) throw new Error('the maker gave no file')
  return { path: made.path, seconds: (performance.now() - began) / 1000 }
}

test('the card is byte for byte the same two seconds later, in under two seconds; other tools read label, file system and files', async () => {
  const first = await make()
  await new Promise((resolve) => setTimeout(resolve, 2100)) // FAT counts in steps of two seconds
  const second = await make()
  const hash = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  expect(await hash(second.path)).toBe(await hash(first.path))
  expect(second.seconds).toBeLessThan(2)

  const { stdout: label } = await execa('sfdisk', ['--dump', first.path])
  expect(label).toContain('label: dos')
  expect(label).toContain('label-id: 0x1234abcd')
  expect(label).toMatch(/start= +2048, size= +81920, type=c, bootable/)

  const within = `${first.path}@@1M`
  const { stdout: list } = await execa('mdir', ['-b', '-/', '-i', within, '::'])
  const files = list.split('\n').map((line) => line.replace(/^::\//, ''))
  for (const file of ['config.txt', 'start4.elf', 'u-boot-rpi-4.bin', 'bcm2712-rpi-5-b.dtb', 'dtb/broadcom/bcm2837-rpi-3-b.dtb'])
    expect(files).toContain(file)
  expect(files).toContain('efi/boot/bootaa64.efi')
  const { stdout: script } = await execa('mtype', ['-i', within, '::autoexec.ipxe'])
  expect(`${script}\n`).toBe(SCRIPT)

  const part = join(directory, 'fat.img')
  await writeFile(part, (await readFile(first.path)).subarray(1 << 20))
  const { stdout: checked } = await execa('fsck.vfat', ['-n', '-v', part])
  expect(checked).toMatch(/FATs, 32 bit entries/)
})
