import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../../../engines/apt/apt.ts'
import { ArchiveError } from '../../../engines/apt/archive.ts'
import type { Bucket } from '../../../engines/bucket/bucket.ts'
import { testBucket } from '../../../engines/bucket/test-bucket.ts'
import { getPart, localFile, type PartDeps } from './parts.ts'
import type { PartSpec } from './spec.ts'

/** dpkg itself is on every Debian; its "files" are made here. */
const spec: PartSpec = {
  name: 'tried',
  package: 'dpkg',
  architecture: 'all',
  components: ['main'],
  suites: [undefined, 'trixie'],
  files: { 'one.bin': ['usr/lib/new/one.bin', 'usr/lib/old/one.bin'] },
}
let directory: string
let bucket: Bucket
let deps: PartDeps

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  bucket = testBucket(join(directory, 'bucket'))
  const away = (what: string) => () => Promise.reject(new ArchiveError(`${what} is out of reach`))
  const apt: Apt = { archive: ({ suite }) => away(`suite ${suite ?? 'of this machine'}`)(), reach: away('x'), fingerprint: away('x') }
  const signal = new AbortController().signal
  deps = {
    bucket,
    apt,
    signal,
    machine: join(directory, 'root'),
    workDirectory: join(directory, 'work'),
    cacheDirectory: join(directory, 'cache'),
  }
})
afterEach(() => rm(directory, { recursive: true }))

async function onMachine(path: string, text: string) {
  await mkdir(dirname(join(directory, 'root', path)), { recursive: true })
  await writeFile(join(directory, 'root', path), text)
}

test("a part is this machine's package, the first place that has it; then what the bucket has, whatever becomes of the machine", async () => {
  await onMachine('usr/lib/old/one.bin', 'old')
  const first = await getPart(spec, '', deps)
  expect([first.part.from, first.ref('one.bin').bytes, await readFile(first.path('one.bin'), 'utf8')]).toEqual(['machine', 3, 'old'])
  await onMachine('usr/lib/new/one.bin', 'newer')
  expect((await getPart(spec, '', deps)).ref('one.bin').bytes, 'pinned').toBe(3)
  expect((await getPart(spec, 'another edition', deps)).ref('one.bin').bytes).toBe(5)
  expect(() => first.path('two.bin')).toThrow('part tried has no file "two.bin"')
})

test('a part that the bucket has lost is taken again', async () => {
  await onMachine('usr/lib/old/one.bin', 'old')
  const { part } = await getPart(spec, '', deps)
  await bucket.delete(part.files['one.bin']?.sha256 ?? '')
  const again = await getPart(spec, '', deps)
  expect(await readFile(again.path('one.bin'), 'utf8')).toBe('old')
})

test('what cannot be had names each place tried, and leaves nothing behind', async () => {
  await expect(getPart(spec, '', deps)).rejects.toThrow(
    'package dpkg (one.bin) cannot be had. suite of this machine is out of reach. suite trixie is out of reach',
  )
  expect((await readdir(deps.workDirectory)).filter((name) => name.startsWith('part'))).toEqual([])
})

test('an unfit version on this machine is passed over', async () => {
  await onMachine('usr/lib/old/one.bin', 'old')
  await expect(getPart({ ...spec, refuse: () => 'too old' }, '', deps)).rejects.toThrow('cannot be had')
})

test('a part may be made of its files', async () => {
  await onMachine('usr/lib/old/one.bin', 'old')
  const run: NonNullable<PartSpec['make']>['run'] = async (paths, around) => {
    const to = join(around.directory, 'two.bin')
    await writeFile(to, `${await readFile(paths['one.bin'] ?? '', 'utf8')}, made`)
    return { 'two.bin': to }
  }
  const part = await getPart({ ...spec, make: { names: ['two.bin'], run } }, '', deps)
  expect(await readFile(part.path('two.bin'), 'utf8')).toBe('old, made')
})

test('where the bucket is far away, its bytes are checked and kept', async () => {
  const { path: _, ...far } = bucket
  const ref = { ...(await bucket.put(new TextEncoder().encode('abc'), { name: 'x' })), name: 'x' }
  const path = await localFile(ref, { bucket: far, cacheDirectory: deps.cacheDirectory })
  expect([path, await readFile(path, 'utf8')]).toEqual([join(deps.cacheDirectory, ref.sha256), 'abc'])
  await bucket.delete(ref.sha256)
  expect(await localFile(ref, { bucket: far, cacheDirectory: deps.cacheDirectory })).toBe(path)
  const wrong = { ...ref, sha256: 'f'.repeat(64) }
  await expect(
    localFile(wrong, {
      bucket: { ...far, get: async () => bucket.get((await bucket.put(Buffer.from('x'), { name: 'x' })).sha256) },
      cacheDirectory: deps.cacheDirectory,
    }),
  ).rejects.toThrow('the bucket gave bytes with sha256')
  expect(await readdir(deps.cacheDirectory)).toEqual([ref.sha256])
})
