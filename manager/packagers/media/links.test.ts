import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steppedClock } from '@bridgehead/shared/clock.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Bucket } from '../../engines/bucket/bucket.ts'
import { createFilesystemBucket } from '../../engines/bucket/filesystem.ts'
import { createPresigner } from '../../engines/bucket/presign.ts'
import { bucketRoutes } from '../../engines/bucket/routes.ts'
import { createLinks, type Links, linkRoutes } from './links.ts'

const HOUR = 3_600_000
let directory: string
let bucket: Bucket
let links: Links
let clock: ReturnType<typeof steppedClock>
let ask: (path: string, method?: string) => Promise<Response>
let next = 0

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
  clock = steppedClock(1_000_000)
  next = 0
  const presigner = createPresigner(new Uint8Array(32))
  bucket = createFilesystemBucket({ directory, presigner, clock })
  // 248 and more would favour some signs: passed over
  const random = (bytes: number) =>
    Uint8Array.from({ length: bytes }, () => {
      next += 37
      return next % 256
    })
  links = createLinks({ bucket, random, clock })
  const app = linkRoutes({ links, bucket, clock }).route('/', bucketRoutes({ bucket, presigner, clock }))
  ask = async (path, method = 'GET') => app.request(path, { method })
})
afterEach(() => rm(directory, { recursive: true }))

async function link(expiresAt = clock.now() + HOUR) {
  const file = { ...(await bucket.put(new TextEncoder().encode('a medium'), { name: 'x.iso' })), name: 'x.iso' }
  return links.add({ organisation: 'o', hash: 'h', file, expiresAt })
}

test('a link leads to the file, also in capitals, as often as wanted until it expires', async () => {
  const { code } = await link()
  expect(code).toMatch(/^[2-9a-hjkmnp-z]{10}$/)
  for (const path of [`/d/${code}`, `/d/${code.toUpperCase()}`]) {
    const answer = await ask(path)
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([302, 'no-store'])
    const file = await ask(answer.headers.get('location') ?? '')
    expect([await file.text(), file.headers.get('content-disposition')]).toEqual(['a medium', 'attachment; filename="x.iso"'])
  }
  expect((await ask(`/d/${code}`, 'HEAD')).status).toBe(302)
  clock.advance(HOUR)
  const late = await ask(`/d/${code}`)
  expect([late.status, await late.text()]).toEqual([410, expect.stringContaining('has expired')])
})

test('the redirect lives no longer than the link', async () => {
  const { code } = await link(clock.now() + 60_000)
  const { headers } = await ask(`/d/${code}`)
  clock.advance(61_000)
  expect((await ask(headers.get('location') ?? '')).status).toBe(403)
})

for (const code of ['2222222222', 'abc', '../secret', '%2e%2e%2fx', `${'a'.repeat(200)}`])
  test(`"${code.slice(0, 20)}" leads nowhere`, async () => {
    const answer = await ask(`/d/${code}`)
    expect(answer.status).toBe(404)
  })

test('a file that was deleted is gone, and says so', async () => {
  const { code, file } = await link()
  await bucket.delete(file.sha256)
  expect((await ask(`/d/${code}`)).status).toBe(410)
})

test('links are of one organisation, and can be ended', async () => {
  const { code } = await link()
  expect((await links.list('o', 'h')).map((one) => one.code)).toEqual([code])
  expect(await links.list('other', 'h')).toEqual([])
  expect(await links.remove('other', code)).toBe(false)
  expect(await links.remove('o', code)).toBe(true)
  expect((await ask(`/d/${code}`)).status).toBe(404)
})

test('a day after it expired a link is forgotten', async () => {
  const { code } = await link()
  clock.advance(26 * HOUR)
  await link()
  expect((await ask(`/d/${code}`)).status).toBe(404)
})
