import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { testBucket } from '../../engines/bucket/test-bucket.ts'
import type { MediaInputs } from './maker.ts'
import type { LocalPart } from './parts/parts.ts'
import { MediaRecipe } from './recipe.ts'
import { makeSecureBoot } from './secure-boot.ts'
import { SIGNED_PROGRAM } from './testing-programs.ts'

const SIGNED = gunzipSync(Buffer.from(SIGNED_PROGRAM, 'base64'))
const SCRIPT = '#!ipxe\nkernel http://10.0.0.1/k\nboot\n'
let directory: string
let bucket: Bucket
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  await writeFile(join(directory, 'signed'), SIGNED)
  bucket = testBucket(join(directory, 'bucket'))
})
afterAll(() => rm(directory, { recursive: true }))

function inputs(signedIpxe?: { x86_64: { loader: string } }): MediaInputs {
  const recipe = MediaRecipe.parse({
    script: SCRIPT,
    outputs: ['secure-boot'],
    architectures: ['x86_64'],
    ...(signedIpxe && { signedIpxe }),
  })
  const ref = (name: string) => ({ sha256: '0'.repeat(64), bytes: 1, name })
  const part = async (name: string): Promise<LocalPart> => ({
    part: { name, package: name, version: '1', from: 'test', files: {} },
    ref,
    path: () => join(directory, 'signed'),
  })
  return {
    ...{ hash: '0', name: 'lab', recipe, target: { kind: 'script', text: SCRIPT }, script: SCRIPT, loaders: new Map(), part },
    ...{ uuid: () => '', bucket, workDirectory: directory, signal: new AbortController().signal },
  }
}
const names = (files: readonly { name: string }[]) => files.map(({ name }) => name)

test('a set holds shim, GRUB and its script, and twice the same bytes', async () => {
  const made = await makeSecureBoot(inputs())
  expect(names(made)).toEqual(['lab-secure-boot.tar.gz', 'README.md', 'arch-map.json', 'grub-grub.cfg', 'grubx64.efi', 'shimx64.efi'])
  expect(await makeSecureBoot(inputs())).toEqual(made)
})

test('an uploaded iPXE that is signed comes with its script; one that is not is refused by its field', async () => {
  const signed = await bucket.put(SIGNED, { name: 'ipxe.efi' })
  const made = await makeSecureBoot(inputs({ x86_64: { loader: signed.sha256 } }))
  expect(names(made)).toEqual(expect.arrayContaining(['ipxe-ipxe.efi', 'ipxe-autoexec.ipxe']))

  const changed = Buffer.from(SIGNED)
  changed[0x200] = 0x90
  const other = await bucket.put(changed, { name: 'ipxe.efi' })
  await expect(makeSecureBoot(inputs({ x86_64: { loader: other.sha256 } }))).rejects.toThrow(
    'signedIpxe.x86_64.loader: the program was changed after it was signed',
  )
  await expect(makeSecureBoot(inputs({ x86_64: { loader: 'f'.repeat(64) } }))).rejects.toThrow('nothing with this sha256 was uploaded')
})
