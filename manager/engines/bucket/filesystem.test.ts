import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bucketContract } from './bucket.contract.ts'
import { createFilesystemBucket } from './filesystem.ts'
import { createPresigner } from './presign.ts'

const presigner = createPresigner(new Uint8Array(32).fill(7))
let root: string
let count = 0
const fresh = () => join(root, `bucket-${count++}`)
const bucketIn = (directory: string) => createFilesystemBucket({ directory, presigner, clock: systemClock })

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bridgehead-bucket-'))
})
afterAll(() => rm(root, { recursive: true }))

bucketContract(async () => bucketIn(fresh()))

test('an object is a file that nobody else may read, and no temporary file stays', async () => {
  const directory = fresh()
  const bucket = bucketIn(directory)
  const { sha256 } = await bucket.put(new Uint8Array([1, 2, 3]), { name: 'three' })
  await bucket.put(new Uint8Array([1]), { name: 'one', bytes: 2 }).catch(() => undefined)
  const file = await stat(bucket.path?.(sha256) ?? '')
  expect([file.size, file.mode & 0o777]).toEqual([3, 0o600])
  expect(await readdir(join(directory, 'tmp'))).toEqual([])
})

test('leftovers of a killed process are removed after a day', async () => {
  const directory = fresh()
  await mkdir(join(directory, 'tmp'), { recursive: true })
  for (const name of ['old', 'young']) await writeFile(join(directory, 'tmp', name), 'half')
  await utimes(join(directory, 'tmp', 'old'), 0, 0)
  await bucketIn(directory).putDocument('a', 1)
  expect(await readdir(join(directory, 'tmp'))).toEqual(['young'])
})

test('a put that failed for want of a directory works once it is there', async () => {
  const directory = fresh()
  await writeFile(directory, 'in the way')
  const bucket = bucketIn(directory)
  await expect(bucket.put(new Uint8Array(1), { name: 'x' })).rejects.toThrow('ENOTDIR')
  await rm(directory)
  await bucket.put(new Uint8Array(1), { name: 'x' })
  await chmod(directory, 0o700)
})
