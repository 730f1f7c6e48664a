import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Bucket } from './bucket.ts'
import { createFilesystemBucket } from './filesystem.ts'
import { createPresigner } from './presign.ts'
import { bucketRoutes } from './routes.ts'

const presigner = createPresigner(new Uint8Array(32).fill(7))
const clock = steppedClock(1_000_000)
let root: string
let bucket: Bucket
let url: string
let sha256: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bridgehead-bucket-'))
  bucket = createFilesystemBucket({ directory: root, presigner, clock })
  sha256 = (await bucket.put(new TextEncoder().encode('0123456789'), { name: 'digits' })).sha256
  url = await bucket.presign(sha256, { expiresSeconds: 60, name: 'digits.txt' })
})
afterAll(() => rm(root, { recursive: true }))

const ask = (path: string, init: RequestInit = {}) => bucketRoutes({ bucket, presigner, clock }).request(path, init)

test.each([
  { text: 'no range', headers: {}, status: 200, body: '0123456789', range: null },
  { text: 'a range', headers: { range: 'bytes=2-4' }, status: 206, body: '234', range: 'bytes 2-4/10' },
  { text: 'an open range', headers: { range: 'bytes=7-' }, status: 206, body: '789', range: 'bytes 7-9/10' },
  { text: 'a suffix', headers: { range: 'bytes=-2' }, status: 206, body: '89', range: 'bytes 8-9/10' },
  { text: 'a suffix longer than the object', headers: { range: 'bytes=-99' }, status: 206, body: '0123456789', range: 'bytes 0-9/10' },
  { text: 'several ranges', headers: { range: 'bytes=0-1,3-4' }, status: 200, body: '0123456789', range: null },
  { text: 'a range turned round', headers: { range: 'bytes=4-2' }, status: 200, body: '0123456789', range: null },
  {
    text: 'a range of another object',
    headers: { range: 'bytes=2-4', 'if-range': '"other"' },
    status: 200,
    body: '0123456789',
    range: null,
  },
])('$text gets $status', async ({ headers, status, body, range }) => {
  const answer = await ask(url, { headers })
  expect([answer.status, await answer.text()]).toEqual([status, body])
  expect(answer.headers.get('content-range')).toBe(range)
  expect(answer.headers.get('content-length')).toBe(String(body.length))
  expect(answer.headers.get('etag')).toBe(`"${sha256}"`)
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="digits.txt"')
})

test('a range beyond the end tells the size', async () => {
  const answer = await ask(url, { headers: { range: 'bytes=10-' } })
  expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */10'])
})

test('HEAD gives the headers alone', async () => {
  const answer = await ask(url, { method: 'HEAD' })
  expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '10', ''])
})

test('a spoilt URL, an expired one and an absent object are problems', async () => {
  const absent = await bucket.presign('0'.repeat(64), { expiresSeconds: 600 })
  expect((await ask(absent)).status).toBe(404)
  const spoilt = await ask(`${url}x`)
  expect([spoilt.status, spoilt.headers.get('content-type')]).toEqual([403, 'application/problem+json'])
  clock.advance(61_000)
  const expired = await ask(url)
  expect(expired.status).toBe(403)
  expect(await expired.json()).toMatchObject({ status: 403, title: 'Forbidden', detail: expect.stringContaining('expired') })
})
