import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@bridgehead/shared/clock.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Apt } from '../../engines/apt/apt.ts'
import { ArchiveError } from '../../engines/apt/archive.ts'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { testBucket } from '../../engines/bucket/test-bucket.ts'
import { pinSources } from './directory.ts'
import { resolveSource } from './resolve.ts'
import type { Source } from './source.ts'

const TARBALL = 'not really a tarball'
const SUM = createHash('sha256').update(TARBALL).digest('hex')
const OTHER = 'f'.repeat(64)

let directory: string
let server: Server
let base: string
let asked: string[]
let bucket: Bucket
let round = 0

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  server = createServer((request, response) => {
    asked.push(request.url ?? '')
    if (request.url === '/ipxe-2.0.tar.gz') response.end(TARBALL)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.close()
  await rm(directory, { recursive: true })
})
beforeEach(() => {
  asked = []
  bucket = testBucket(join(directory, `bucket-${round++}`), systemClock)
})

const noArchive: Apt = {
  archive: () => Promise.reject(new ArchiveError('apt on this machine knows no Debian archive')),
  reach: async () => [],
  fingerprint: async () => '',
}
const resolve = (...sources: Source[]) => {
  const signal = new AbortController().signal
  const deps = { bucket, apt: noArchive, clock: systemClock, signal, workDirectory: join(directory, 'work'), log: () => undefined }
  return resolveSource(sources, deps, ['/srv/ipxe: there is no such directory or file'])
}
const url = (path: string, sha256 = SUM): Source => ({ kind: 'url', url: `${base}${path}`, sha256, name: 'ipxe', version: '2.0' })

test('the first place that has it is taken, and remembered', async () => {
  const wish = [{ kind: 'debian', package: 'ipxe' }, url('/missing.tar.gz'), url('/ipxe-2.0.tar.gz')] as const
  const expected = {
    kind: 'url',
    name: 'ipxe',
    version: '2.0',
    files: [{ sha256: SUM, bytes: TARBALL.length, name: 'ipxe-2.0.tar.gz' }],
    from: `${base}/ipxe-2.0.tar.gz`,
  }
  expect(await resolve(...wish)).toEqual(expected)
  expect(asked).toEqual(['/missing.tar.gz', '/ipxe-2.0.tar.gz'])
  expect(await resolve(url('/ipxe-2.0.tar.gz'))).toEqual(expected)
  expect(asked).toHaveLength(2)
})

test('what is remembered but has left the bucket is fetched again', async () => {
  await resolve(url('/ipxe-2.0.tar.gz'))
  await bucket.delete(SUM)
  await resolve(url('/ipxe-2.0.tar.gz'))
  expect(asked).toHaveLength(2)
})

test('nobody has it: each place is named, and what was wrong there', async () => {
  const error = await resolve({ kind: 'debian', package: 'ipxe' }, url('/missing.tar.gz'), url('/ipxe-2.0.tar.gz', OTHER), {
    kind: 'upload',
    sha256: OTHER,
    name: 'ipxe',
    version: '2.0',
  }).catch((thrown: unknown) => thrown as Error)
  expect(error).toMatchObject({ code: 'build', reason: 'source' })
  for (const says of [
    '(1) /srv/ipxe: there is no such directory or file',
    '(2) Debian source package ipxe: apt on this machine knows no Debian archive',
    `(3) ${base}/missing.tar.gz: the server answered 404 Not Found`,
    `(4) ${base}/ipxe-2.0.tar.gz: `,
    `(5) uploaded tarball ${OTHER} (ipxe 2.0): it is not in the bucket`,
  ])
    expect((error as Error).message).toContain(says)
  expect(await bucket.head(SUM), 'a file with another sum is not kept').toBeUndefined()
})

test('a server that is not there says why', async () => {
  const nowhere = { kind: 'url', url: 'http://127.0.0.1:9/x.tar.gz', sha256: OTHER, name: 'x', version: '1' } as const
  await expect(resolve(nowhere)).rejects.toThrow(/x\.tar\.gz: cannot be fetched: \S/)
})

test('a directory is another source when a file in it changes, and the same when only times do', async () => {
  const path = join(directory, 'ipxe-2.1')
  await mkdir(join(path, 'src/bin'), { recursive: true })
  await writeFile(join(path, 'src/main.c'), 'int main;')
  const pin = async () => (await pinSources([{ kind: 'directory', path }], { bucket, missing: () => undefined }))[0]
  const first = await pin()
  expect(first).toMatchObject({ kind: 'upload', name: 'ipxe', version: '2.1' })
  await utimes(join(path, 'src/main.c'), 1, 1)
  await writeFile(join(path, 'src/bin/main.o'), 'left by a make')
  expect(await pin()).toEqual(first)
  await writeFile(join(path, 'src/main.c'), 'int other;')
  expect(await pin()).not.toEqual(first)
})

test('a directory that is not there is told, and the rest goes on', async () => {
  const missing: string[] = []
  const sources = [{ kind: 'directory', path: '/nosuch' } as const, { kind: 'debian', package: 'ipxe' } as const]
  expect(await pinSources(sources, { bucket, missing: (message) => void missing.push(message) })).toEqual([sources[1]])
  expect(missing).toEqual(['/nosuch: there is no such directory or file'])
})
